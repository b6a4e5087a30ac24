//! Steps of a call as the audit log names them, as far as a trace is made of them.

use crate::store::AuditEntry;

/// What begins or ends a span.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    ContextTold,
    ModelDialled,
    ModelReady,
    ModelLost,
    MediaStarted,
    Ended,
    /// By the reaper.
    Lost,
    TakenOver,
    ToolCalled,
    /// An endpoint was asked.
    ToolRun,
    ToolReturned,
    /// Of the carrier: a webhook, or a media socket.
    Request,
}

const NAMES: [(&str, Step); 11] = [
    ("call.context", Step::ContextTold),
    ("call.model-dialled", Step::ModelDialled),
    ("call.model-ready", Step::ModelReady),
    ("call.model-lost", Step::ModelLost),
    ("call.media-started", Step::MediaStarted),
    ("call.ended", Step::Ended),
    ("call.lost", Step::Lost),
    ("call.taken_over", Step::TakenOver),
    ("call.tool-called", Step::ToolCalled),
    ("call.tool-run", Step::ToolRun),
    ("call.tool-returned", Step::ToolReturned),
];

impl Step {
    /// What an entry is; none: nothing that a span begins or ends with.
    pub(super) fn of(entry: &AuditEntry) -> Option<Self> {
        let of_call = NAMES.iter().find(|(name, _)| *name == entry.kind).map(|(_, step)| *step);
        let of_carrier = || {
            let (room, _) = entry.kind.split_once('.')?;
            matches!(room, "webhook" | "media").then_some(Self::Request)
        };
        of_call.or_else(of_carrier)
    }
}
