//! Which known word was meant.

/// The known word nearest to one that is unknown, if it is near enough.
pub(crate) fn nearest<'a>(unknown: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let plain = |word: &str| word.to_ascii_lowercase().replace(['-', ' '], "_");
    let meant = plain(unknown);
    // A long word cannot be near: no need to measure it.
    if meant.chars().count() > 40 {
        return None;
    }
    let near = |word: &&str| {
        let distance = distance(&meant, &plain(word));
        (distance <= 1 + word.len() / 4).then_some(distance)
    };
    known
        .into_iter()
        .filter_map(|word| near(&word).map(|distance| (distance, word)))
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, word)| word)
}

/// Edits from one word to the other; a swap of neighbours is one (optimal string alignment).
fn distance(a: &str, b: &str) -> usize {
    let (a, b): (Vec<char>, Vec<char>) = (a.chars().collect(), b.chars().collect());
    let mut rows = vec![(0..=b.len()).collect::<Vec<_>>()];
    for i in 1..=a.len() {
        let mut row = vec![i];
        for j in 1..=b.len() {
            let changed = usize::from(a[i - 1] != b[j - 1]);
            let mut least = (rows[i - 1][j] + 1).min(row[j - 1] + 1).min(rows[i - 1][j - 1] + changed);
            if i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] {
                least = least.min(rows[i - 2][j - 2] + 1);
            }
            row.push(least);
        }
        rows.push(row);
    }
    rows[a.len()][b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_of_the_finger_is_recognised() {
        let known = ["name", "roles", "ip", "interface", "priority"];
        assert_eq!(nearest("nmae", known), Some("name"));
        assert_eq!(nearest("Interface", known), Some("interface"));
        assert_eq!(nearest("role", known), Some("roles"));
        assert_eq!(nearest("gateway", known), None);
    }

    #[test]
    fn a_swap_is_one_edit() {
        assert_eq!(distance("prot", "port"), 1);
        assert_eq!(distance("", "abc"), 3);
    }
}
