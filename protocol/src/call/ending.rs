//! The end of a call: what is settled when the carrier's side is over. The line and the call's place are free at once; the model's
//! connection when it has told the caller's last words.

use super::end::Ended;
use super::fact::Fact;
use super::io::{CallerCommand, ConnId, Control, Input, ModelEvent, Output};
use super::{Call, CarryOn, Phase};
use crate::realtime::command::ClientEvent;
use crate::realtime::event::ServerEvent;

/// Whether there is time for it: not when the model is the trouble, the longest call was reached, or the gateway stops.
fn has_time(why: &Ended) -> bool {
    !matches!(
        why,
        Ended::ModelFailed { .. }
            | Ended::Closed
            | Ended::TooLong
            | Ended::NoMedia
            | Ended::GaveUp { .. }
            | Ended::Shutdown
            | Ended::ContextRefused { .. }
            | Ended::TakenOver
    )
}

impl Call {
    /// The call ends: everything is settled, the carrier let go, and the model too unless it has the caller's last words.
    pub(super) fn end(&mut self, why: Ended) {
        let why = match why {
            // Nobody would have answered, however that went.
            Ended::ModelFailed { .. } | Ended::TooLong | Ended::AgentHungUp | Ended::Transferred(_)
                if self.cx.setup.closed =>
            {
                Ended::Closed
            }
            why => why,
        };
        let live = self.phase == Phase::Live;
        let conn = self.session.ready().filter(|_| live && has_time(&why) && self.session.transcribes(&self.cx));
        self.judge_at_last(None);
        let speaking = self.turn.speaking().cloned();
        let last = self.uplink.last_loud(self.cx.now);
        let unheard = self.turn.leave(&mut self.cx, last);
        self.playout.leave(&mut self.cx);
        if let Some(item) = speaking {
            self.last_words.awaits(item, self.cx.now);
            if let Some(conn) = conn {
                // The server sees the end of a turn by the silence that follows it.
                self.uplink.append_silence(&mut self.cx, conn);
            }
        }
        self.settle();
        if live {
            self.cx.caller(CallerCommand::Close);
        }
        self.closing.forget();
        self.uplink.keypad.forget();
        self.carry = CarryOn::default();
        self.cx.deadlines.clear_all();
        match conn.filter(|_| self.last_words.are_on_their_way(self.cx.now)) {
            Some(conn) => {
                self.session.close_next(&mut self.cx);
                for response in unheard {
                    self.cx.send(conn, ClientEvent::CancelResponse { response });
                }
                self.last_words.left(&mut self.cx, why);
                self.phase = Phase::Left;
            }
            None => self.finish(why),
        }
    }

    /// What the record does not know yet.
    fn settle(&mut self) {
        for item in self.cx.history.unsettled() {
            self.cx.record_turn(&item);
        }
        self.cx.flush_counts();
    }

    /// Nothing follows.
    pub(super) fn finish(&mut self, why: Ended) {
        self.settle();
        if !why.is_provisional() {
            self.tools.leave(&mut self.cx);
        }
        self.session.close(&mut self.cx);
        self.phase = Phase::Over;
        self.cx.deadlines.clear_all();
        self.cx.record(Fact::Ended(why.clone()));
        self.cx.out.push_back(Output::Ended(why));
    }

    /// Whatever is still missing, it is not waited for any longer.
    pub(super) fn finish_left(&mut self) {
        if let Some(why) = self.last_words.give_up() {
            self.finish(why);
        }
    }

    /// Something happens when the carrier's side is over already.
    pub(super) fn after_leaving(&mut self, input: Input) {
        match input {
            Input::Model(conn, event) if self.session.is_current(conn) => match event {
                ModelEvent::Server(event) => self.last_words_of(conn, event),
                ModelEvent::Refused(..) | ModelEvent::TurnedAway(..) | ModelEvent::Closed(_) => {
                    return self.finish_left();
                }
                ModelEvent::Opened | ModelEvent::RoundTrip { .. } | ModelEvent::Audio { .. } => {}
            },
            // Accounts of the end that has come anyhow; the others do not wait.
            Input::Control(Control::HangUp(Ended::CallEnd { .. } | Ended::Operator)) => {}
            Input::Control(Control::HangUp(_)) => return self.finish_left(),
            Input::Caller(_) | Input::Model(..) | Input::Ran { .. } | Input::Tick => {}
        }
        if !self.last_words.are_on_their_way(self.cx.now) {
            self.finish_left();
        }
    }

    fn last_words_of(&mut self, conn: ConnId, event: ServerEvent) {
        match event {
            ServerEvent::InputTranscript { item, text } => self.caller_text(item, text),
            ServerEvent::InputTranscriptFailed { item, error } => self.caller_text_failed(conn, item, &error),
            // Nobody is there to hear it.
            ServerEvent::ResponseCreated { response, .. } if !self.turn.knows(&response) => {
                self.turn.heard_of_response(response.clone());
                self.cx.send(conn, ClientEvent::CancelResponse { response });
            }
            ServerEvent::ResponseDone(done) if self.turn.ends(&done.response) => {
                self.cx.record(Fact::Usage(done.usage));
            }
            _ => {}
        }
    }
}
