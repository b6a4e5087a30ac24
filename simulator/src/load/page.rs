//! A run as a page: one file, pictures and all, that needs no script and no network.

use std::fmt::Write as _;

use super::chart::{Chart, Line};
use super::out::RunFile;
use super::series::Sample;
use super::times::{Percentiles, Times};

const STYLE: &str = "<style>:root{color-scheme:light dark}\
body{font:15px/1.5 system-ui,sans-serif;margin:0 auto;padding:1rem;max-width:46rem;color:#1f2328;background:#fff}\
h1{font-size:1.3rem;line-height:1.25;margin:.2rem 0}h2{font-size:1.05rem;margin:1.6rem 0 .4rem}p{margin:.3rem 0}\
.m{color:#57606a}.w{border-left:4px solid #cf222e;padding-left:.6rem}svg{width:100%;height:auto;display:block;margin:.8rem 0}\
.x{overflow-x:auto}table{border-collapse:collapse;font-variant-numeric:tabular-nums}\
td,th{padding:.2rem .7rem .2rem 0;text-align:right;white-space:nowrap;border-bottom:1px solid #d8dee4}\
td:first-child,th:first-child,.l td{text-align:left}.l td{white-space:normal;overflow-wrap:anywhere}.l td:first-child{overflow-wrap:normal;min-width:6.5rem}\
@media(prefers-color-scheme:dark){body{color:#f0f6fc;background:#0d1117}.m{color:#9198a1}td,th{border-color:#3d444d}}</style>";

/// The page.
#[must_use]
pub fn page(file: &RunFile) -> String {
    let report = &file.run.report;
    let title = title(file);
    let mut page = format!(
        "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><meta name=\"viewport\" content=\"width=device-width\">\
         <title>{title}</title>{STYLE}</head><body>\n<h1>{title}</h1>\n"
    );
    let made = &file.made;
    let host = &file.host;
    // Writing to a String cannot fail.
    let _ = writeln!(
        page,
        "<p class=\"m\">{} &middot; callgate {} ({}) &middot; {}, {}, {} cores</p>",
        escaped(&made.date),
        escaped(&made.version),
        escaped(&made.build),
        escaped(&host.name),
        escaped(&host.cpu),
        host.cores
    );
    if !made.note.is_empty() {
        let _ = writeln!(page, "<p>{}</p>", escaped(&made.note));
    }
    for why in &report.void {
        let _ = writeln!(page, "<p class=\"w\"><b>Void:</b> {}</p>", escaped(why));
    }
    if let Some(found) = &file.find {
        let told = found.to_string();
        let _ = writeln!(page, "<p><b>{}</b></p>", escaped(told.lines().last().unwrap_or_default()));
    }
    let _ = writeln!(page, "<p>{}</p>", escaped(&calls(file)));
    table(file, &mut page);
    for picture in pictures(file) {
        let _ = writeln!(page, "{}", picture.1);
    }
    steps(file, &mut page);
    facts(file, &mut page);
    page.push_str("</body></html>\n");
    page
}

/// The run's pictures, each with a name for a file.
#[must_use]
pub fn pictures(file: &RunFile) -> Vec<(&'static str, String)> {
    let series = &file.run.series;
    let of = |name, value: fn(&Sample) -> Option<f64>| Line {
        name,
        points: series.iter().map(|sample| (sample.at_secs, value(sample))).collect(),
    };
    let over_time = |title, unit, lines| Chart { title, unit, below: seconds(series), shaded: steady(series), lines };
    let histograms = &file.run.histograms;
    let charts = [
        (
            "latency",
            over_time(
                "Added latency, p99 of each second",
                "ms",
                vec![of("to model", |sample| sample.uplink_p99_ms), of("to caller", |sample| sample.downlink_p99_ms)],
            ),
        ),
        (
            "percentiles",
            Chart {
                title: "Added latency by percentile",
                unit: "ms",
                below: PERCENTS.iter().map(|(at, word)| (*at, (*word).to_owned())).collect(),
                shaded: None,
                lines: vec![by_percent("to model", &histograms.uplink), by_percent("to caller", &histograms.downlink)],
            },
        ),
        (
            "cpu",
            over_time(
                "CPU",
                "% of a core",
                vec![of("target", |sample| sample.cpu_percent), of("tester", |sample| sample.generator_percent)],
            ),
        ),
        (
            "calls",
            over_time(
                "Calls",
                "each second",
                vec![of("open", |sample| Some(sample.calls as f64)), of("lost", |sample| Some(sample.lost as f64))],
            ),
        ),
    ];
    charts.into_iter().filter_map(|(name, chart)| Some((name, chart.svg()?))).collect()
}

/// Where on its axis a percentile stands: each nine as wide as the one before it.
const PERCENTS: [(f64, &str); 5] = [(0.0, "0 %"), (1.0, "90 %"), (2.0, "99 %"), (3.0, "99.9 %"), (4.0, "99.99 %")];
const POINTS_A_NINE: u32 = 20;

fn by_percent(name: &'static str, times: &Times) -> Line {
    let points = (0..=4 * POINTS_A_NINE).map(|at| {
        let nines = f64::from(at) / f64::from(POINTS_A_NINE);
        let beyond = 10_f64.powf(-nines);
        // Of less than one time nothing can be told.
        let enough = times.count() as f64 * beyond >= 1.0;
        (nines, times.at_percent(100.0 * (1.0 - beyond)).filter(|_| enough))
    });
    Line { name, points: points.collect() }
}

/// Words below an axis of time.
fn seconds(series: &[Sample]) -> Vec<(f64, String)> {
    let (Some(first), Some(last)) = (series.first(), series.last()) else { return Vec::new() };
    let apart = ((last.at_secs - first.at_secs) / 6.0).max(1.0).ceil();
    let words = (0..=6).map(|at| first.at_secs.ceil() + f64::from(at) * apart).filter(|at| *at <= last.at_secs);
    words.map(|at| (at, format!("{at:.0} s"))).collect()
}

fn steady(series: &[Sample]) -> Option<(f64, f64)> {
    let first = series.iter().find(|sample| sample.steady)?;
    Some((first.at_secs - 1.0, series.iter().rfind(|sample| sample.steady)?.at_secs))
}

fn title(file: &RunFile) -> String {
    let asked = &file.parameters;
    let what =
        if file.find.is_some() { "how many calls it carries".to_owned() } else { format!("{} calls", asked.calls) };
    format!("{} under load: {what}, {} ms frames", escaped(&asked.target), asked.frame_ms)
}

fn calls(file: &RunFile) -> String {
    let calls = &file.run.report.calls;
    let mut said = format!("{} calls opened, {} failed, {} ended early", calls.opened, calls.failed, calls.ended_early);
    if let Some(process) = &file.run.report.process {
        let _ = write!(
            said,
            "; {:.2} ms CPU a call-second, {:.0} % of a core, {:.0} KiB a call",
            process.cpu_ms_per_call_sec, process.core_percent, process.rss_kib_per_call
        );
    }
    said
}

fn table(file: &RunFile, page: &mut String) {
    page.push_str("<div class=\"x\"><table><tr><th>ms<th>p50<th>p90<th>p99<th>p99.9<th>max<th>count</tr>\n");
    let times = &file.run.report.times;
    for (what, times) in [
        ("caller to model", times.uplink),
        ("model to caller", times.downlink),
        ("first audio", times.first_audio),
        ("webhook answers", times.webhook),
    ] {
        let Some(Percentiles { count, p50_ms, p90_ms, p99_ms, p99_9_ms, max_ms }) = times else { continue };
        let _ = write!(page, "<tr><td>{what}");
        for ms in [p50_ms, p90_ms, p99_ms, p99_9_ms, max_ms] {
            let _ = write!(page, "<td>{ms:.2}");
        }
        let _ = writeln!(page, "<td>{count}</tr>");
    }
    page.push_str("</table></div>\n");
}

/// What a search tried.
fn steps(file: &RunFile, page: &mut String) {
    let Some(found) = &file.find else { return };
    page.push_str(
        "<h2>What was tried</h2><div class=\"x\"><table><tr><th>calls<th>p99, ms<th>CPU, %<th>what broke</tr>\n",
    );
    for step in &found.steps {
        let number = |number: Option<f64>| number.map_or_else(String::new, |number| format!("{number:.1}"));
        let broke: Vec<String> = step.breaches.iter().map(ToString::to_string).collect();
        let broke = if broke.is_empty() { "nothing".to_owned() } else { broke.join("; ") };
        let (p99, cpu) = (number(step.p99_ms), number(step.core_percent));
        let _ = writeln!(page, "<tr><td>{}<td>{p99}<td>{cpu}<td>{}</tr>", step.calls, escaped(&broke));
    }
    page.push_str("</table></div>\n");
}

/// What was asked for, and what went wrong.
fn facts(file: &RunFile, page: &mut String) {
    let asked = &file.parameters;
    let report = &file.run.report;
    let mut facts = vec![
        ("loaded", format!("{} at {}", asked.target, asked.address)),
        ("callers", asked.mix.clone()),
        ("ramp, measured", format!("{} s, {} s", asked.ramp_secs, asked.secs)),
        ("seed", asked.seed.to_string()),
        ("sent late, p99", format!("{:.1} ms by the tester", report.generator_late_p99_ms)),
        ("all cores", format!("{:.0} % busy", report.machine_busy_percent)),
    ];
    if let Some((cps, hold)) = asked.cps.zip(asked.hold_secs) {
        facts.push(("calls come and go", format!("{cps} a second, {hold} s each")));
    }
    if !asked.faults.is_empty() {
        facts.push(("faults of the model", asked.faults.join(", ")));
    }
    if let Some(gateway) = &report.gateway {
        facts.push(("by its own account", gateway.to_string()));
    }
    facts.extend(report.calls.refusals.iter().map(|(code, times)| ("refused", format!("{times} x {code}"))));
    facts.extend(report.calls.reasons.iter().map(|(why, times)| ("lost", format!("{times} x {why}"))));
    facts.extend(report.not_measured.iter().map(|what| ("not measured", what.clone())));
    let ratios = file.ratios();
    if !ratios.is_empty() {
        facts.push(("beside the floor", ratios.trim().to_owned()));
    }
    page.push_str("<h2>What was asked for, and what else was seen</h2><table class=\"l\">\n");
    for (what, value) in facts {
        let _ = writeln!(page, "<tr><td class=\"m\">{what}<td>{}</tr>", escaped(&value));
    }
    page.push_str("</table>\n");
}

/// Text that a page shows and does not obey.
fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use super::super::out::tests::run_file;
    use super::*;

    #[test]
    fn a_page_has_its_figures_and_pictures_and_asks_nobody_for_anything() {
        let mut file = run_file(100);
        file.made.note = "<script>alert(1)</script> & co".into();
        file.run.report.calls.refusals.insert("full".into(), 3);
        let page = page(&file);
        assert_eq!(page.matches("<svg").count(), 4, "{page}");
        assert!(page.contains("gateway under load: 300 calls, 20 ms frames"), "{page}");
        assert!(page.contains("<tr><td>caller to model<td>") && page.contains("3 x full"), "{page}");
        assert!(page.contains("&lt;script&gt;alert(1)&lt;/script&gt; &amp; co"), "{page}");
        let fetches = ["<script", "src=", "href=", "url(", "@import", "NaN", "inf "];
        assert!(fetches.iter().all(|what| !page.contains(what)), "{page}");
        let links: Vec<&str> =
            page.split("http").skip(1).filter(|rest| !rest.starts_with("://www.w3.org/2000/svg")).collect();
        assert!(links.is_empty(), "{links:?}");
    }

    #[test]
    fn what_was_not_measured_leaves_its_picture_out() {
        let mut file = run_file(100);
        file.run.histograms = super::super::Histograms::default();
        file.run.series.iter_mut().for_each(|sample| (sample.uplink_p99_ms, sample.downlink_p99_ms) = (None, None));
        let names: Vec<&str> = pictures(&file).into_iter().map(|(name, _)| name).collect();
        assert_eq!(names, ["cpu", "calls"]);
        assert!(page(&RunFile::default()).ends_with("</html>\n"), "a run of nothing is a page too");
    }
}
