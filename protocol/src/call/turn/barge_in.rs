//! The caller cuts in: whatever of the agent was not heard yet is dropped, in the order flush, clear, truncate.

use std::time::Instant;

use super::{Timer, Turn};
use crate::call::context::{Context, millis};
use crate::call::fact::Fact;
use crate::call::io::ConnId;
use crate::call::playout::{Cut, Playout};
use crate::ids::{ItemId, ResponseId};
use crate::realtime::command::ClientEvent;

impl Turn {
    /// The caller began to speak, then. `ours`: the server goes on with what it generates until we cancel it.
    pub(in crate::call) fn caller_began(
        &mut self,
        cx: &mut Context,
        playout: &mut Playout,
        conn: Option<ConnId>,
        (item, began, ours): (ItemId, Instant, bool),
    ) {
        if !self.heard.insert(item.clone()) {
            return cx.count("repeated_event", 1);
        }
        self.close_turn(cx, cx.now);
        self.settle_stranded(cx);
        let at_ms = cx.at_ms().saturating_sub(millis(cx.now.saturating_duration_since(began)));
        cx.record(Fact::CallerSpoke { item: item.clone(), at_ms });
        (self.speaking, self.since) = (Some(item), Some(began));
        self.doubtful = None;
        cx.deadlines.clear(Timer::Doubt);
        if ours {
            self.unwanted = self.requested.is_some();
            self.wanted = None;
            self.call_off_open(cx, conn);
        } else {
            self.leave_to_server(cx, conn);
        }
        for response in playout.responses() {
            self.discard(response);
        }
        let cuts = playout.interrupt(cx);
        truncate(cx, conn, &cuts);
    }

    /// The server cancels what it generates by itself (`interrupt_response`): a cancel of ours would only race with it. Of several it
    /// cancels the one it answers the caller with.
    fn leave_to_server(&mut self, cx: &mut Context, conn: Option<ConnId>) {
        let open: Vec<ResponseId> = self.open.iter().cloned().collect();
        for (index, response) in open.iter().enumerate() {
            if let Some(conn) = conn.filter(|_| index + 1 < open.len()) {
                cx.send(conn, ClientEvent::CancelResponse { response: response.clone() });
            }
            self.discard(response.clone());
        }
    }

    /// The caller does more than listen, and the server does not know: what the agent says to them is dropped as at a word of theirs.
    pub(in crate::call) fn cut_in(&mut self, cx: &mut Context, playout: &mut Playout, conn: Option<ConnId>) {
        if self.caller_speaks() {
            return;
        }
        self.call_off_open(cx, conn);
        for response in playout.responses() {
            self.discard(response);
        }
        let cuts = playout.interrupt(cx);
        truncate(cx, conn, &cuts);
    }

    /// Nothing more of what is being generated is wanted.
    pub(in crate::call) fn call_off_open(&mut self, cx: &mut Context, conn: Option<ConnId>) {
        for response in self.open_responses() {
            if let Some(conn) = conn {
                cx.send(conn, ClientEvent::CancelResponse { response: response.clone() });
            }
            self.discard(response);
        }
    }
}

/// Tells the model what was not heard, at most once an item, and the record that the agent was cut short.
pub(in crate::call) fn truncate(cx: &mut Context, conn: Option<ConnId>, cuts: &[Cut]) {
    let unheard_ms = cuts.iter().map(|c| c.generated_ms - c.heard_ms).sum();
    for (index, cut) in cuts.iter().enumerate() {
        if let Some(conn) = conn.filter(|_| cut.tell) {
            cx.send(
                conn,
                ClientEvent::Truncate {
                    item: cut.key.item.clone(),
                    content_index: cut.key.content_index,
                    audio_end_ms: cut.heard_ms,
                },
            );
        }
        let (item, whole) = (cut.key.item.clone(), cut.whole);
        let (generated_ms, heard_ms) = (cut.generated_ms, cut.heard_ms);
        cx.record(Fact::Heard { item: item.clone(), generated_ms, heard_ms, whole });
        if heard_ms < generated_ms {
            // What was generated and never heard is told once, with the item that was being heard.
            let unheard_ms = if index == 0 { unheard_ms } else { 0 };
            let at_ms = cx.at_ms();
            cx.record(Fact::Interrupted { item: item.clone(), heard_ms, unheard_ms, at_ms });
        }
        cx.record_turn(&item);
    }
}
