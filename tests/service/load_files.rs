//! `callgate load compare` and `load report`: what is done with the files of runs.

use super::commands::Folder;

/// A run whose latencies, and whose CPU, are so many times the usual.
fn run_file(times: u64, calls: u64) -> String {
    let pairs = |us: u64| format!("[[{},900],[{},100]]", us * times, us * times * 3);
    let percentiles = |us: u64| {
        let ms = |us: u64| us as f64 / 1_000.0;
        let (most, max) = (ms(us * times), ms(us * times * 3));
        format!(r#"{{"count":1000,"p50_ms":{most},"p90_ms":{most},"p99_ms":{max},"p99_9_ms":{max},"max_ms":{max}}}"#)
    };
    format!(
        r#"{{"format":1,"made":{{"version":"0.1.0","build":"commit abc","date":"2026-11-26T17:00:00Z","note":"sqlite"}},
        "host":{{"name":"lab","cpu":"A processor","cores":2,"memory_mib":4096}},
        "parameters":{{"target":"gateway","address":"127.0.0.1:8080","numbers":1,"calls":{calls},"ramp_secs":5.0,"secs":2.0,"frame_ms":20,
        "lead_ms":475,"seed":1,"mix":"talk=1","cps":null,"hold_secs":null,"rude":false,"faults":[]}},
        "report":{{"target":"gateway","window_secs":2.0,"frame_ms":20,"calls":{{"planned":{calls},"opened":{calls},"failed":0,"ended_early":0,
        "hung_up":0,"unseen":0,"call_secs":600.0,"reasons":{{}},"refusals":{{}}}},"frames_sent":30000,"frames_lost":0,
        "messages_received":9000,"messages_unexplained":0,"uplink":{up},"downlink":null,"first_audio":null,"webhook":null,"process":null,
        "gateway":null,"generator":null,"generator_late_p99_ms":1.0,"model_late_p99_ms":1.0,"machine_busy_percent":40.0,"void":[],
        "not_measured":[]}},
        "histograms":{{"uplink":{pairs},"downlink":[],"first_audio":[],"webhook":[]}},
        "series":[{{"at_secs":1.0,"steady":true,"calls":{calls},"refused":0,"lost":0,"cpu_percent":50.0,"rss_kib":90000,
        "generator_percent":20.0,"machine_busy_percent":40.0,"loop_lag_p99_ms":null,"uplink_p99_ms":1.5,"downlink_p99_ms":null}}]}}"#,
        up = percentiles(1_000),
        pairs = pairs(1_000),
    )
}

fn folder() -> Folder {
    let folder = Folder::new();
    for (name, times, calls) in
        [("old.json", 1, 300), ("same.json", 1, 300), ("slow.json", 2, 300), ("more.json", 1, 400)]
    {
        std::fs::write(folder.0.join(name), run_file(times, calls)).unwrap();
    }
    std::fs::write(folder.0.join("strange.json"), "{}").unwrap();
    folder
}

#[test]
fn a_run_that_got_worse_is_exit_1_and_named() {
    let folder = folder();
    let said = folder.said(&["load", "compare", "old.json", "same.json"]);
    assert!(said.ends_with("nothing is worse by more than 10 %\n"), "{said}");
    let output = folder.run(&["load", "compare", "old.json", "slow.json", "--fail-over", "20%"]);
    let said = String::from_utf8(output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(1), "{said}");
    let worse = said.lines().last().unwrap();
    assert!(worse.starts_with("worse by more than 20 %: caller to model, p50: 1.00 -> 2.00 ms (+100 %)"), "{said}");
    folder.said(&["load", "compare", "old.json", "slow.json", "--fail-over", "150"]);
}

#[test]
fn runs_that_are_no_comparison_are_refused_with_what_differs() {
    let folder = folder();
    let error = folder.refused(&["load", "compare", "old.json", "more.json"], 64);
    assert!(error.contains("--anyway") && error.contains("calls: 300 in the old run, 400 in the new"), "{error}");
    folder.said(&["load", "compare", "old.json", "more.json", "--anyway"]);
    let error = folder.refused(&["load", "compare", "old.json", "strange.json"], 64);
    assert!(error.contains("strange.json: it is no run of `callgate load --out`"), "{error}");
    assert!(folder.refused(&["load", "compare", "old.json", "gone.json"], 1).contains("gone.json"));
    let error = folder.refused(&["load", "compare", "old.json", "same.json", "--fail-over", "lots"], 64);
    assert!(error.contains("give a percentage from 0 to 1000, such as 10%"), "{error}");
}

#[test]
fn a_run_is_drawn_as_a_page_and_as_pictures() {
    let folder = folder();
    assert_eq!(folder.said(&["load", "report", "old.json", "--pictures", "pictures"]).lines().next(), Some("old.html"));
    let page = std::fs::read_to_string(folder.0.join("old.html")).unwrap();
    assert!(
        page.contains("gateway under load: 300 calls") && page.contains("<svg") && !page.contains("<script"),
        "{page}"
    );
    let picture = std::fs::read_to_string(folder.0.join("pictures/latency.svg")).unwrap();
    assert!(picture.starts_with("<svg xmlns="), "{picture}");
}

#[test]
fn flags_of_a_load_that_do_not_go_together_are_refused() {
    let folder = Folder::new();
    for (words, told) in [
        (&["load", "--cps", "5"][..], "--hold"),
        (&["load", "--cps", "5", "--hold", "60", "--calls", "9"], "--calls"),
        (&["load", "--cps", "0", "--hold", "60"], "--cps 0: calls a second, above 0"),
        (&["load", "--mix", "shout=3"], "none of talk, barge, keys, tool"),
        (&["load", "--p99", "5"], "--find"),
        (&["load", "--find", "--cps", "5", "--hold", "60"], "--cps"),
        (&["load", "--faults", "mute"], "--model-url"),
    ] {
        let error = folder.refused(words, 64);
        assert!(error.contains(told), "{words:?}: {error}");
    }
    // Nobody is there: told once, behind the progress, which goes to standard error too.
    let output = folder.run(&["load", "--gateway", "http://127.0.0.1:9", "--calls", "1", "--ramp", "0", "--json"]);
    let error = String::from_utf8(output.stderr).unwrap();
    assert_eq!((output.status.code(), output.stdout.len()), (Some(1), 0), "{error}");
    assert!(error.contains("ramp    0/1 calls live") && error.contains("callgate: no call opened"), "{error}");
}
