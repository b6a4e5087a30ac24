//! Functions that a call's model called. Their ids are those that their endpoints were told (`traceparent`).

use std::collections::BTreeMap;

use chrono::{DateTime, TimeDelta, Utc};

use super::otlp::{Kind, Span};
use super::step::Step;
use super::tree::{Record, number};
use crate::store::AuditEntry;
use crate::trace_context::SpanOf;

/// What is on record of one function.
#[derive(Default)]
struct Steps<'a> {
    name: Option<&'a str>,
    called: Option<DateTime<Utc>>,
    /// An endpoint was asked.
    run: Option<&'a AuditEntry>,
    returned: Option<DateTime<Utc>>,
}

pub(super) fn spans(record: &Record<'_>) -> Vec<Span> {
    let mut tools: BTreeMap<u64, Steps<'_>> = BTreeMap::new();
    for step in record.steps {
        let Some(id) = number(step, "number") else { continue };
        let name = step.payload["name"].as_str().filter(|name| is_name(name));
        match Step::of(step) {
            Some(Step::ToolCalled) => {
                let tool = tools.entry(id).or_default();
                (tool.name, tool.called) = (name.or(tool.name), tool.called.or(Some(step.at)));
            }
            Some(Step::ToolRun) => {
                let tool = tools.entry(id).or_default();
                (tool.name, tool.run) = (name.or(tool.name), tool.run.or(Some(step)));
            }
            Some(Step::ToolReturned) => {
                let tool = tools.entry(id).or_default();
                tool.returned = tool.returned.or(Some(step.at));
            }
            _ => {}
        }
    }
    tools.into_iter().filter_map(|(id, tool)| span(record, id, &tool)).collect()
}

/// What a model wrote in the place of a name may be anything.
fn is_name(name: &str) -> bool {
    name.len() <= 64 && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.'))
}

fn span(record: &Record<'_>, id: u64, tool: &Steps<'_>) -> Option<Span> {
    let name = tool.name.unwrap_or("unknown");
    let new = |from, to| {
        Span::new(record.trace(), SpanOf::Tool(id), format!("execute_tool {name}"), from, to)
            .with("gen_ai.operation.name", "execute_tool")
            .with("gen_ai.tool.name", name)
            .with("gen_ai.tool.call.id", id.to_string().as_str())
    };
    let Some(run) = tool.run else {
        // Done by the call itself, refused, or still under way when its gateway died.
        let (outcome, until) = tool.returned.map_or(("unfinished", record.ended_at()), |at| ("returned", at));
        return Some(new(tool.called?, until).with("callgate.outcome", outcome));
    };
    let took = number(run, "took_ms").and_then(|ms| TimeDelta::try_milliseconds(i64::try_from(ms).ok()?));
    let outcome = run.payload["came_to"].as_str().unwrap_or(&run.outcome);
    let span = new(run.at - took.unwrap_or_default(), run.at)
        .kind_of(Kind::Client)
        .with("callgate.outcome", outcome)
        .with_known("callgate.attempts", number(run, "attempts"))
        .with_known("http.response.status_code", number(run, "status"));
    Some(span.failed_if(run.outcome == "failed", outcome))
}
