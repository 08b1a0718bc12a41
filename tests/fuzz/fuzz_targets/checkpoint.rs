//! Any bytes are a saved engine, memory or part that can go on, or are refused; a seal comes off as it was put on.
#![no_main]

use window::{Aggregate, Decimal, Emit, Engine, Input, Join, Plan, Seen, Side, Windows};

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let _ = window::open(bytes);
    assert_eq!(window::open(&window::seal(bytes)), Ok(bytes));
    if let Ok(mut seen) = Seen::restore(5, bytes) {
        seen.is_new(b"k", 7);
        assert!(Seen::restore(5, &seen.save()).is_ok());
    }
    if let Ok(mut join) = Join::restore(5, bytes) {
        join.push(Side::Left, 7, b"k", b"row", &mut |_, _, _| {});
        assert!(Join::restore(5, &join.save()).is_ok());
    }
    for windows in [Windows::Hopping { size_us: 10, every_us: 4 }, Windows::Session { gap_us: 5 }] {
        let emit = if matches!(windows, Windows::Session { .. }) { Emit::Final } else { Emit::Both };
        let aggregates = vec![Aggregate::Count, Aggregate::Average, Aggregate::Max, Aggregate::Last, Aggregate::Distinct, Aggregate::Quantile(500)];
        let plan = Plan { windows, bound_us: 3, lateness_us: 2, emit, aggregates };
        // The plan's fingerprint stands first; without it nothing would be looked at.
        let empty = Engine::new(plan.clone()).unwrap().save();
        let head = 8 + usize::try_from(u64::from_le_bytes(*empty.first_chunk().unwrap())).unwrap();
        let saved = [&empty[..head], bytes].concat();
        let mut absorbing = Engine::new(plan.clone()).unwrap();
        if absorbing.absorb(bytes, &mut |row| drop(row.values())).is_ok() {
            let again = |row: &window::Row| assert!(window::merged(&plan, &[row.part()], &mut |_| {}).is_ok());
            absorbing.finish(&mut { again });
        }
        let Ok(mut engine) = Engine::restore(plan.clone(), &saved) else { continue };
        let one: Decimal = "1.5".parse().unwrap();
        let values = [Input::Here, Input::Number(one), Input::Number(one), Input::Json("1"), Input::Json("1"), Input::Number(one)];
        engine.push(0, 7, b"k", &values, &mut |row| drop(row.values()));
        let mut engine = Engine::restore(plan, &engine.save()).expect("what was saved is restored");
        engine.finish(&mut |row| drop(row.values()));
    }
});
