use super::*;
use proptest::prelude::*;

/// 30 keys put and one deleted, as etcd 3.4 hands it out; `etcdctl snapshot
/// status` counts 35 keys and revision 32.
const REAL: &[u8] = include_bytes!("../../../../tests/fixtures/examples/etcd.db");

fn database() -> Vec<u8> {
    REAL[..REAL.len() - 32].to_vec()
}

fn checked(file: &[u8]) -> Result<Database, Damage> {
    check(file, file.len() as u64)
}

#[test]
fn a_real_database_has_what_etcdctl_finds_in_it() {
    let found = checked(&database()).unwrap();
    assert_eq!((found.page_bytes, found.pages, found.revision, found.keys), (4096, 9, Some(32), 35));
}

#[test]
fn one_meta_page_is_enough() {
    for spoiled in [16, 4096 + 16] {
        let mut file = database();
        file[spoiled] ^= 1;
        assert_eq!(checked(&file).unwrap().keys, 35);
    }
    let mut file = database();
    file[16] ^= 1;
    file[4096 + 60] ^= 1;
    assert!(matches!(checked(&file), Err(Damage::Meta("another magic number"))));
}

#[test]
fn what_is_cut_or_no_database_is_told() {
    let file = database();
    assert!(matches!(checked(&file[..8192]), Err(Damage::Length { bytes: 8192, pages: 9, .. })));
    assert!(matches!(checked(&[]), Err(Damage::Meta("too short"))));
    assert!(matches!(checked(&[7; 8192]), Err(Damage::Meta(_))));
}

#[test]
fn a_page_that_is_another_is_told() {
    let mut file = database();
    // The root page's own number.
    let root = parse_meta(&file[16..]).unwrap().root;
    file[usize::try_from(root * 4096).unwrap()] ^= 1;
    let damage = checked(&file).unwrap_err();
    assert_eq!(damage.to_string(), format!("page {root}: says it is another page"));
}

proptest! {
    #[test]
    fn no_damage_breaks_it(spots in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..20)) {
        let mut file = database();
        for (spot, byte) in spots {
            let at = spot.index(file.len());
            file[at] = byte;
        }
        let _ = checked(&file);
    }

    #[test]
    fn no_bytes_break_it(bytes: Vec<u8>, pages in 0u64..40) {
        let _ = check(bytes.as_slice(), pages * 4096);
        let _ = parse_meta(&[bytes.as_slice(), &[0; 72]].concat());
    }
}
