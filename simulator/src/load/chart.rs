//! Lines over an axis, as SVG that stands by itself: light or dark as the reader has it, and wide as the page.

use std::fmt::Write as _;

const WIDTH: f64 = 640.0;
const HEIGHT: f64 = 240.0;
const LEFT: f64 = 52.0;
const RIGHT: f64 = 12.0;
const TOP: f64 = 34.0;
const BOTTOM: f64 = 28.0;

/// The pictures carry their own style, so that one that is cut out of the page looks the same.
const STYLE: &str = "<style>\
.t{font:12px system-ui,sans-serif;fill:#57606a}.h{font-weight:600;fill:#1f2328}.g{stroke:#d8dee4;stroke-width:1}\
.s{fill:#57606a;fill-opacity:.07}.l{fill:none;stroke-width:1.8;stroke-linejoin:round}\
.c0{stroke:#0969da}.c1{stroke:#bc4c00}.c2{stroke:#8250df}.k0{fill:#0969da}.k1{fill:#bc4c00}.k2{fill:#8250df}\
@media(prefers-color-scheme:dark){.t{fill:#9198a1}.h{fill:#f0f6fc}.g{stroke:#3d444d}.s{fill:#9198a1}\
.c0{stroke:#4493f8}.c1{stroke:#f0883e}.c2{stroke:#ab7df8}.k0{fill:#4493f8}.k1{fill:#f0883e}.k2{fill:#ab7df8}}\
</style>";

/// A picture of up to three lines.
pub(super) struct Chart {
    pub(super) title: &'static str,
    pub(super) unit: &'static str,
    /// Where the axis below has a word: at which x, and which.
    pub(super) below: Vec<(f64, String)>,
    /// From where to where something is set off: the time that was measured.
    pub(super) shaded: Option<(f64, f64)>,
    pub(super) lines: Vec<Line>,
}

/// A line; where it has no value, it is broken.
pub(super) struct Line {
    pub(super) name: &'static str,
    pub(super) points: Vec<(f64, Option<f64>)>,
}

impl Chart {
    /// The picture; none when no line has a point.
    pub(super) fn svg(&self) -> Option<String> {
        let points = || self.lines.iter().flat_map(|line| &line.points);
        let values = || points().filter_map(|(x, y)| Some((*x, (*y)?)));
        let (from, to) = points().fold((f64::MAX, f64::MIN), |(from, to), (x, _)| (from.min(*x), to.max(*x)));
        values().next()?;
        let step = nice(values().fold(0.0, |most: f64, (_, y)| most.max(y)));
        let top = (values().fold(step, |most, (_, y)| most.max(y)) / step).ceil() * step;
        let across = |x: f64| LEFT + (x - from) / (to - from).max(1e-9) * (WIDTH - LEFT - RIGHT);
        let up = |y: f64| HEIGHT - BOTTOM - y / top * (HEIGHT - TOP - BOTTOM);

        // Writing to a String cannot fail.
        let mut svg = format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {HEIGHT}\" role=\"img\" aria-label=\"{}\">{STYLE}",
            self.title
        );
        if let Some((begin, end)) = self.shaded {
            let (left, width) = (across(begin.max(from)), across(end.min(to)) - across(begin.max(from)));
            let height = HEIGHT - TOP - BOTTOM;
            let _ = write!(
                svg,
                "<rect class=\"s\" x=\"{left:.1}\" y=\"{TOP}\" width=\"{:.1}\" height=\"{height}\"/>",
                width.max(0.0)
            );
        }
        for at in 0..=(top / step).round() as u32 {
            let y = f64::from(at) * step;
            let _ = write!(
                svg,
                "<path class=\"g\" d=\"M{LEFT} {:.1}H{}\"/><text class=\"t\" x=\"{}\" y=\"{:.1}\" text-anchor=\"end\">{}</text>",
                up(y),
                WIDTH - RIGHT,
                LEFT - 6.0,
                up(y) + 4.0,
                short(y)
            );
        }
        for (x, word) in &self.below {
            // The last word ends where the picture does.
            let anchor = if *x >= to { "end" } else { "middle" };
            let (x, y) = (across(*x), HEIGHT - 8.0);
            let _ = write!(svg, "<text class=\"t\" x=\"{x:.1}\" y=\"{y}\" text-anchor=\"{anchor}\">{word}</text>");
        }
        let _ = write!(svg, "<text class=\"t h\" x=\"{LEFT}\" y=\"18\">{}, {}</text>", self.title, self.unit);
        let mut key = WIDTH - RIGHT;
        for (at, line) in self.lines.iter().enumerate().rev() {
            key -= line.name.len() as f64 * 7.0 + 26.0;
            let _ = write!(
                svg,
                "<rect class=\"k{at}\" x=\"{key:.0}\" y=\"9\" width=\"10\" height=\"10\"/><text class=\"t\" x=\"{:.0}\" y=\"18\">{}</text>",
                key + 14.0,
                line.name
            );
            let _ = write!(svg, "<path class=\"l c{at}\" d=\"{}\"/>", line.path(across, up));
        }
        svg.push_str("</svg>");
        Some(svg)
    }
}

impl Line {
    fn path(&self, across: impl Fn(f64) -> f64, up: impl Fn(f64) -> f64) -> String {
        let mut path = String::new();
        let mut on = false;
        for (x, y) in &self.points {
            if let Some(y) = y {
                let _ = write!(path, "{}{:.1} {:.1}", if on { 'L' } else { 'M' }, across(*x), up(*y));
            }
            on = y.is_some();
        }
        // A point between two gaps is a line of no length, which no pen draws.
        if path.contains('L') { path } else { path + "h1.5" }
    }
}

/// A step of 1, 2 or 5 times a power of ten, of which four or so make so much.
fn nice(most: f64) -> f64 {
    let rough = (most / 4.0).max(1e-3);
    let power = 10_f64.powf(rough.log10().floor());
    let step = [1.0, 2.0, 5.0].into_iter().find(|step| step * power >= rough);
    step.unwrap_or(10.0) * power
}

/// A number of an axis, as short as it is exact.
fn short(number: f64) -> String {
    let text = format!("{number:.3}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chart(points: Vec<(f64, Option<f64>)>) -> Chart {
        let lines = vec![Line { name: "calls", points }];
        Chart { title: "Calls", unit: "open", below: vec![(0.0, "0 s".into())], shaded: Some((1.0, 9.0)), lines }
    }

    #[test]
    fn an_axis_has_round_numbers() {
        for (most, step) in [(0.0, 0.001), (1.0, 0.5), (3.9, 1.0), (100.0, 50.0), (700.0, 200.0), (1_900.0, 500.0)] {
            assert!((nice(most) - step).abs() < 1e-9, "{} for {most}", nice(most));
        }
        assert_eq!((short(0.5), short(200.0), short(0.0)), ("0.5".into(), "200".into(), "0".into()));
    }

    #[test]
    fn a_line_is_broken_where_nothing_was_measured_and_stays_in_the_picture() {
        let svg = chart(vec![(0.0, Some(1.0)), (1.0, Some(7.0)), (2.0, None), (3.0, Some(4.0)), (4.0, Some(4.0))]);
        let svg = svg.svg().unwrap();
        let path = svg.split("c0\" d=\"").nth(1).unwrap().split('"').next().unwrap();
        assert_eq!(path.matches('M').count(), 2, "{path}");
        let numbers = path.split(['M', 'L', ' ']).filter(|part| !part.is_empty());
        assert!(numbers.map(|number| number.parse::<f64>().unwrap()).all(|at| (0.0..=WIDTH).contains(&at)), "{path}");
        assert!(!svg.contains("NaN") && !svg.contains("inf"), "{svg}");
    }

    #[test]
    fn nothing_measured_is_no_picture_and_one_point_is_one() {
        assert!(chart(vec![(0.0, None)]).svg().is_none());
        assert!(chart(Vec::new()).svg().is_none());
        let svg = chart(vec![(3.0, Some(0.0))]).svg().unwrap();
        assert!(!svg.contains("NaN") && !svg.contains("inf"), "{svg}");
    }
}
