//! Any bytes are a saved engine that can go on, or are refused; a seal comes off as it was put on.
#![no_main]

use window::{Aggregate, Decimal, Emit, Engine, Input, Plan, Windows};

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let _ = window::open(bytes);
    assert_eq!(window::open(&window::seal(bytes)), Ok(bytes));
    for windows in [Windows::Hopping { size_us: 10, every_us: 4 }, Windows::Session { gap_us: 5 }] {
        let emit = if matches!(windows, Windows::Session { .. }) { Emit::Final } else { Emit::Both };
        let aggregates = vec![Aggregate::Count, Aggregate::Average, Aggregate::Max, Aggregate::Last, Aggregate::Distinct, Aggregate::Quantile(500)];
        let plan = Plan { windows, bound_us: 3, lateness_us: 2, emit, aggregates };
        // The plan's fingerprint stands first; without it nothing would be looked at.
        let empty = Engine::new(plan.clone()).unwrap().save();
        let head = 8 + usize::try_from(u64::from_le_bytes(*empty.first_chunk().unwrap())).unwrap();
        let saved = [&empty[..head], bytes].concat();
        let Ok(mut engine) = Engine::restore(plan.clone(), &saved) else { continue };
        let one: Decimal = "1.5".parse().unwrap();
        let values = [Input::Here, Input::Number(one), Input::Number(one), Input::Json("1"), Input::Json("1"), Input::Number(one)];
        engine.push(0, 7, b"k", &values, &mut |row| drop(row.values()));
        let mut engine = Engine::restore(plan, &engine.save()).expect("what was saved is restored");
        engine.finish(&mut |row| drop(row.values()));
    }
});
