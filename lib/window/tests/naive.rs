//! A naive model is the judge: it keeps every event and computes from all of them, sorted.

use std::collections::BTreeMap;

use proptest::prelude::*;
use window::{Aggregate, Decimal, Emit, Engine, Fate, Input, Join, Plan, Seen, Side, Windows};

#[derive(Clone, Debug)]
struct Event {
    partition: usize,
    time: i64,
    key: String,
    cents: Option<i32>,
}

const AGGREGATES: [Aggregate; 9] = [
    Aggregate::Count,
    Aggregate::Count,
    Aggregate::Sum,
    Aggregate::Min,
    Aggregate::Max,
    Aggregate::Average,
    Aggregate::First,
    Aggregate::Last,
    Aggregate::Distinct,
];

/// Window, key, revision, whether final, values.
type Told = (i64, i64, String, u64, bool, Vec<String>);

fn decimal(cents: i64) -> String {
    format!("{cents}e-2").parse::<Decimal>().expect("a decimal").to_string()
}

fn push(engine: &mut Engine, event: &Event, told: &mut Vec<Told>) -> Fate {
    let json = event.cents.map(|cents| cents.to_string());
    let json = json.as_deref().map_or(Input::Nothing, Input::Json);
    let number = event
        .cents
        .map_or(Input::Nothing, |cents| Input::Number(decimal(i64::from(cents)).parse().expect("a decimal")));
    let values = AGGREGATES.map(|aggregate| match aggregate {
        Aggregate::First | Aggregate::Last | Aggregate::Distinct => json,
        _ => number,
    });
    let mut values = values;
    values[0] = Input::Here;
    engine.push(event.partition, event.time, event.key.as_bytes(), &values, &mut |row| told.push(copy(row)))
}

fn copy(row: &window::Row) -> Told {
    let key = String::from_utf8_lossy(row.key).into_owned();
    (row.start_us, row.end_us, key, row.rev, row.is_final, row.values())
}

/// The answers for some events in the order they came.
fn answers(events: &[&Event]) -> Vec<String> {
    let mut sorted: Vec<_> = events.iter().filter(|event| event.cents.is_some()).collect();
    sorted.sort_by_key(|event| event.time);
    let cents: Vec<i64> = sorted.iter().filter_map(|event| event.cents).map(i64::from).collect();
    let null = || "null".to_owned();
    let sum: i64 = cents.iter().sum();
    let count = i64::try_from(cents.len()).expect("few");
    let mean = |count: i64| {
        let scaled = i128::from(sum) * 10_i128.pow(10);
        let half = i128::from(count.max(1)) * i128::from(sum.signum());
        let rounded = (scaled * 2 + half) / (i128::from(count) * 2);
        format!("{rounded}e-12").parse::<Decimal>().expect("a decimal").to_string()
    };
    let mut different = cents.clone();
    different.sort_unstable();
    different.dedup();
    vec![
        events.len().to_string(),
        count.to_string(),
        if count > 0 { decimal(sum) } else { null() },
        cents.iter().min().map_or_else(null, |cents| decimal(*cents)),
        cents.iter().max().map_or_else(null, |cents| decimal(*cents)),
        if count > 0 { mean(count) } else { null() },
        cents.first().map_or_else(null, ToString::to_string),
        cents.last().map_or_else(null, ToString::to_string),
        different.len().to_string(),
    ]
}

/// What is over for each event: the watermark of its own partition, or the engine's.
/// Beside it the engine's watermark.
fn watermarks(plan: &Plan, events: &[Event]) -> Vec<(i64, i64)> {
    let mut latest: BTreeMap<usize, i64> = BTreeMap::new();
    let mut watermark = i64::MIN;
    let mut all = Vec::new();
    for event in events {
        let slot = latest.entry(event.partition).or_insert(i64::MIN);
        all.push((watermark.max(slot.saturating_sub(plan.bound_us)), watermark));
        *slot = (*slot).max(event.time);
        let known = 0..=*latest.keys().max().expect("one");
        let slowest = known.map(|partition| latest.get(&partition).copied().unwrap_or(i64::MIN)).min();
        watermark = watermark.max(slowest.unwrap_or(i64::MIN).saturating_sub(plan.bound_us));
    }
    all
}

fn naive_panes(
    plan: &Plan,
    events: &[Event],
    size: i64,
    every: i64,
) -> (BTreeMap<(i64, String), Vec<String>>, u64) {
    let mut groups: BTreeMap<(i64, String), Vec<&Event>> = BTreeMap::new();
    let mut late = 0;
    for (event, (over, _)) in events.iter().zip(watermarks(plan, events)) {
        let starts = (-2000..2000)
            .map(|n| n * every)
            .filter(|start| *start <= event.time && event.time < start + size);
        let open: Vec<_> = starts.filter(|start| start + size + plan.lateness_us > over).collect();
        late += u64::from(open.is_empty());
        for start in open {
            groups.entry((start, event.key.clone())).or_default().push(event);
        }
    }
    (groups.into_iter().map(|(at, events)| (at, answers(&events))).collect(), late)
}

/// Start, end, key and values.
type Session = (i64, i64, String, Vec<String>);

/// The sessions, and how many events were late.
fn naive_sessions(plan: &Plan, events: &[Event], gap: i64) -> (Vec<Session>, u64) {
    let (mut open, mut done, mut late): (Vec<&Event>, Vec<_>, u64) = (Vec::new(), Vec::new(), 0);
    let cut = |open: &[&Event]| {
        let mut sessions: Vec<(i64, i64, String, Vec<usize>)> = Vec::new();
        let mut order: Vec<usize> = (0..open.len()).collect();
        order.sort_by_key(|at| (open[*at].key.clone(), open[*at].time));
        for at in order {
            let event = open[at];
            match sessions.last_mut() {
                Some((_, end, key, members)) if *key == event.key && event.time < *end => {
                    *end = event.time + gap;
                    members.push(at);
                }
                _ => sessions.push((event.time, event.time + gap, event.key.clone(), vec![at])),
            }
        }
        sessions
    };
    let mut close = |open: &mut Vec<&Event>, watermark: i64| {
        let mut gone = Vec::new();
        for (start, end, key, mut members) in cut(open) {
            if end.saturating_add(plan.lateness_us) <= watermark {
                members.sort_unstable();
                let inside: Vec<_> = members.iter().map(|at| open[*at]).collect();
                done.push((start, end, key, answers(&inside)));
                gone.extend(members);
            }
        }
        gone.sort_unstable();
        gone.iter().rev().for_each(|at| {
            open.remove(*at);
        });
    };
    for (event, (over, watermark)) in events.iter().zip(watermarks(plan, events)) {
        close(&mut open, watermark);
        if event.time + plan.lateness_us >= over {
            open.push(event);
        } else {
            late += 1;
        }
    }
    close(&mut open, i64::MAX);
    (done, late)
}

fn events() -> impl Strategy<Value = Vec<Event>> {
    let event = (0_usize..2, -60_i64..60, 0..3, prop::option::of(-500_i32..500));
    (prop::collection::vec(event, 0..60), 0_i64..4).prop_map(|(events, pace)| {
        let mut now = 0;
        events
            .into_iter()
            .map(|(partition, jitter, key, cents)| {
                now += pace;
                Event {
                    partition: partition * usize::from(pace % 2 == 0),
                    time: now + jitter,
                    key: format!("k{key}"),
                    cents,
                }
            })
            .collect()
    })
}

fn plan(windows: Windows, bound_us: i64, lateness_us: i64, emit: Emit) -> Plan {
    Plan { windows, bound_us, lateness_us, emit, aggregates: AGGREGATES.to_vec() }
}

/// Runs the engine, saving and restoring it before the event `cut`.
fn run(plan: &Plan, events: &[Event], cut: usize) -> (Vec<Told>, u64) {
    run_with(Engine::new(plan.clone()).expect("a plan that makes sense"), plan, events, cut)
}

fn run_with(mut engine: Engine, plan: &Plan, events: &[Event], cut: usize) -> (Vec<Told>, u64) {
    let (mut told, mut late) = (Vec::new(), 0);
    for (at, event) in events.iter().enumerate() {
        if at == cut {
            engine = Engine::restore(plan.clone(), &engine.save()).expect("what was saved");
        }
        late += u64::from(push(&mut engine, event, &mut told) == Fate::Late);
    }
    engine.finish(&mut |row| told.push(copy(row)));
    assert_eq!(engine.open(), 0);
    (told, late)
}

/// Takes the parts of a gatherer to the engine of their key, then tells both how far its partitions are.
fn bring(gatherer: &mut Engine, enders: &mut [Engine; 2], told: &mut Vec<Told>) {
    gatherer.shed(&mut |key, part| {
        let ender = &mut enders[usize::from(key == b"k2")];
        let fate = ender.absorb(&part, &mut |row| told.push(copy(row)));
        assert_eq!(fate, Ok(Fate::Counted), "no partition was idle");
    });
    for partition in 0..2 {
        for ender in enders.iter_mut() {
            if let Some(latest) = gatherer.latest_us(partition) {
                ender.saw(partition, latest, &mut |row| told.push(copy(row)));
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn panes_are_those_of_the_model(
        events in events(), size in 1_i64..30, hops in 1_i64..4, bound in 0_i64..40, lateness in 0_i64..30,
        emit in 0_usize..3, cut in 0_usize..60,
    ) {
        let every = (size / hops).max(1);
        let emit = [Emit::Final, Emit::Updates, Emit::Both][emit];
        let windows = if hops == 1 { Windows::Tumbling { size_us: size } } else { Windows::Hopping { size_us: size, every_us: every } };
        let plan = plan(windows, bound, lateness, emit);
        let (told, late) = run(&plan, &events, cut);
        let (expected, expected_late) = naive_panes(&plan, &events, size, every);
        prop_assert_eq!(late, expected_late);
        // The last row of each window and key is the model's, and revisions are counted without a gap.
        let mut last: BTreeMap<(i64, String), Vec<String>> = BTreeMap::new();
        let mut rows: BTreeMap<(i64, String), u64> = BTreeMap::new();
        for (start, end, key, rev, is_final, values) in &told {
            prop_assert_eq!(end - start, size);
            let count = rows.entry((*start, key.clone())).or_default();
            prop_assert_eq!(*rev, *count);
            *count += 1;
            prop_assert!(*is_final == (emit == Emit::Final || lateness == 0) || emit == Emit::Both);
            last.insert((*start, key.clone()), values.clone());
        }
        prop_assert_eq!(last, expected);
        if emit == Emit::Final {
            prop_assert!(rows.values().all(|count| *count == 1));
        }
    }

    #[test]
    fn sessions_are_those_of_the_model(
        events in events(), gap in 1_i64..20, bound in 0_i64..40, lateness in 0_i64..30, cut in 0_usize..60,
    ) {
        let plan = plan(Windows::Session { gap_us: gap }, bound, lateness, Emit::Final);
        let (told, late) = run(&plan, &events, cut);
        let (mut expected, expected_late) = naive_sessions(&plan, &events, gap);
        let mut told: Vec<_> = told.into_iter().map(|(start, end, key, _, _, values)| (start, end, key, values)).collect();
        told.sort();
        expected.sort();
        prop_assert_eq!(late, expected_late);
        prop_assert_eq!(told, expected);
    }

    #[test]
    fn parts_that_several_gather_give_the_rows_of_one_engine(
        events in events(), windows in 0_usize..3, bound in 0_i64..40, lateness in 0_i64..30,
        sheds in prop::collection::vec(any::<bool>(), 60), halves in any::<bool>(),
    ) {
        let windows = [Windows::Tumbling { size_us: 9 }, Windows::Hopping { size_us: 12, every_us: 5 }, Windows::Session { gap_us: 7 }][windows];
        let plan = plan(windows, bound, lateness, Emit::Final);
        // Events of different partitions at the same time have no order.
        let events: Vec<_> = events
            .into_iter()
            .map(|event| Event { time: event.time * 2 + i64::try_from(event.partition).expect("few"), ..event })
            .collect();
        let partitions = events.iter().map(|event| event.partition + 1).max().unwrap_or(1);
        let mut one = Engine::new(plan.clone()).expect("a plan");
        one.expect(partitions - 1);
        let (mut expected, expected_late) = run_with(one, &plan, &events, usize::MAX);
        // A gatherer a partition, or one for both; then one engine for two of the keys, one for the third.
        let mut gatherers = [0, 1].map(|_| Engine::gathering(plan.clone()).expect("a plan"));
        let mut enders = [0, 1].map(|_| Engine::new(plan.clone()).expect("a plan"));
        enders.iter_mut().for_each(|ender| ender.expect(partitions - 1));
        let (mut told, mut late) = (Vec::new(), 0);
        for (event, shed) in events.iter().zip(sheds.into_iter().chain(std::iter::repeat(false))) {
            let gatherer = &mut gatherers[if halves { event.partition } else { 0 }];
            late += u64::from(push(gatherer, event, &mut told) == Fate::Late);
            if shed {
                bring(gatherer, &mut enders, &mut told);
            }
        }
        gatherers.iter_mut().for_each(|gatherer| bring(gatherer, &mut enders, &mut told));
        enders.iter_mut().for_each(|ender| ender.finish(&mut |row| told.push(copy(row))));
        told.sort();
        expected.sort();
        prop_assert_eq!(late, expected_late);
        prop_assert_eq!(told, expected);
    }

    #[test]
    fn duplicates_are_those_of_the_model(
        times in prop::collection::vec((0_i64..100, 0_u8..3), 0..60), within in 1_i64..30, cut in 0_usize..60,
    ) {
        let mut seen = Seen::new(within);
        let mut kept: Vec<(i64, u8)> = Vec::new();
        let mut newest = i64::MIN;
        for (at, (time, identity)) in times.into_iter().enumerate() {
            if at == cut {
                seen = Seen::restore(within, &seen.save()).expect("what was saved");
            }
            // What is older than this does not come any more.
            newest = newest.max(time);
            let oldest = newest - 40;
            if time < oldest {
                continue;
            }
            seen.forget_before(oldest);
            let expected = !kept.iter().any(|(other, same)| *same == identity && other.abs_diff(time) < within.unsigned_abs());
            prop_assert_eq!(seen.is_new(&[identity], time), expected);
            if expected {
                kept.push((time, identity));
            }
            prop_assert!(seen.count() <= kept.iter().filter(|(time, _)| *time >= oldest - 3 * within).count());
        }
    }

    #[test]
    fn pairs_are_those_of_the_model(
        rows in prop::collection::vec((any::<bool>(), 0_i64..100, 0_u8..3), 0..60), within in 0_i64..20, cut in 0_usize..60,
    ) {
        let mut join = Join::new(within);
        let (mut told, mut expected, mut kept) = (Vec::new(), Vec::new(), Vec::new());
        let mut newest = [i64::MIN; 2];
        for (number, (left, time, key)) in (0_u8..).zip(rows) {
            if usize::from(number) == cut {
                join = Join::restore(within, &join.save()).expect("what was saved");
            }
            let own = usize::from(left);
            // Rows more than 30 behind their own side are late and never come here.
            newest[own] = newest[own].max(time);
            if time < newest[own] - 30 {
                continue;
            }
            let (side, other) = if left { (Side::Left, Side::Right) } else { (Side::Right, Side::Left) };
            join.push(side, time, &[key], &[number], &mut |time, one, two| told.push((time, one[0], two[0])));
            join.forget_before(other, newest[own] - 30);
            for (twin_left, twin_time, twin_key, twin) in &kept {
                if *twin_left != left && *twin_key == key && i64::abs(time - twin_time) <= within {
                    let (one, two) = if left { (number, *twin) } else { (*twin, number) };
                    expected.push((time.max(*twin_time), one, two));
                }
            }
            kept.push((left, time, key, number));
        }
        told.sort_unstable();
        expected.sort_unstable();
        prop_assert_eq!(told, expected);
    }

    #[test]
    fn a_saved_engine_goes_on_as_if_nothing_had_happened(events in events(), cut in 0_usize..60, session in any::<bool>()) {
        let windows = if session { Windows::Session { gap_us: 7 } } else { Windows::Hopping { size_us: 12, every_us: 5 } };
        let emit = if session { Emit::Final } else { Emit::Both };
        let plan = plan(windows, 10, 6, emit);
        prop_assert_eq!(run(&plan, &events, cut), run(&plan, &events, usize::MAX));
    }

    #[test]
    fn no_bytes_make_restoring_panic(events in events(), at in any::<prop::sample::Index>(), byte in any::<u8>()) {
        let plan = plan(Windows::Tumbling { size_us: 9 }, 10, 6, Emit::Both);
        let mut engine = Engine::new(plan.clone()).expect("a plan");
        for event in &events {
            push(&mut engine, event, &mut Vec::new());
        }
        let mut saved = engine.save();
        let at = at.index(saved.len());
        saved[at] = byte;
        if let Ok(mut engine) = Engine::restore(plan.clone(), &saved) {
            for event in &events {
            push(&mut engine, event, &mut Vec::new());
        }
            engine.finish(&mut |row| drop(row.values()));
        }
        prop_assert!(Engine::restore(plan, &saved[..at]).is_err());
    }
}

#[test]
fn an_idle_partition_does_not_hold_the_windows() {
    let plan = plan(Windows::Tumbling { size_us: 10 }, 0, 0, Emit::Final);
    let mut engine = Engine::new(plan).expect("a plan");
    let mut told = Vec::new();
    let event = |partition, time| Event { partition, time, key: "k".to_owned(), cents: None };
    push(&mut engine, &event(1, 1), &mut told);
    push(&mut engine, &event(1, 25), &mut told);
    assert!(told.is_empty(), "partition 0 has said nothing yet");
    engine.idle(0, &mut |row| told.push(copy(row)));
    assert_eq!(told.len(), 1);
    // What comes from it now is late, and does not take the watermark back.
    assert_eq!(push(&mut engine, &event(0, 3), &mut told), Fate::Late);
    assert_eq!(engine.watermark_us(), Some(25));
}

#[test]
fn a_state_of_another_plan_is_told() {
    let one = plan(Windows::Tumbling { size_us: 10 }, 0, 0, Emit::Final);
    let saved = Engine::new(one).expect("a plan").save();
    let other = plan(Windows::Tumbling { size_us: 20 }, 0, 0, Emit::Final);
    assert_eq!(Engine::restore(other, &saved).err(), Some(window::NoState::OtherPlan));
}

#[test]
fn plans_without_sense_are_refused() {
    use window::NoPlan;
    let refused = |windows, bound, emit| Engine::new(plan(windows, bound, 0, emit)).err();
    assert_eq!(refused(Windows::Tumbling { size_us: 0 }, 0, Emit::Final), Some(NoPlan::Empty));
    assert_eq!(refused(Windows::Tumbling { size_us: 1 }, -1, Emit::Final), Some(NoPlan::Negative));
    assert_eq!(refused(Windows::Tumbling { size_us: i64::MAX }, 0, Emit::Final), Some(NoPlan::TooLong));
    assert_eq!(refused(Windows::Hopping { size_us: 1, every_us: 2 }, 0, Emit::Final), Some(NoPlan::Gaps));
    assert_eq!(
        refused(Windows::Hopping { size_us: 2000, every_us: 1 }, 0, Emit::Final),
        Some(NoPlan::TooMany)
    );
    assert_eq!(refused(Windows::Session { gap_us: 1 }, 0, Emit::Both), Some(NoPlan::SessionUpdates));
}
