//! What each metric means, as `/metrics` says it.

use metrics::{describe_counter, describe_gauge, describe_histogram};

const COUNTERS: &[(&str, &str)] = &[
    ("callgate_accept_errors_total", "Connections that could not be accepted, for want of files as a rule"),
    ("callgate_account_events_total", "Webhooks that told of the account and of no call, by kind"),
    ("callgate_agents_forgotten_total", "Documents of clients no longer kept at hand: too many of them"),
    (
        "callgate_answers_broken_off_total",
        "Answers that ended in the middle though nobody cut in, by what broke them off",
    ),
    (
        "callgate_audit_cut_total",
        "Entries of the audit log of whose payload values were left out, since it was too large",
    ),
    ("callgate_audit_late_total", "Requests answered before their audit entry was in the database"),
    ("callgate_audit_lost_total", "Audit entries dropped because too many waited, by kind: request, step or end"),
    (
        "callgate_audit_skipped_total",
        "Refusals that were counted and not written to the audit log, since their address had many",
    ),
    (
        "callgate_clips_total",
        "Fixed sentences that were missing at hand, by what became of them: made, kept on disk, failed, dropped",
    ),
    ("callgate_connections_closed_total", "Idle connections that were closed by this side, by why"),
    ("callgate_connections_refused_total", "Connections refused because all that may be had were in use"),
    ("callgate_calls_reaped_total", "Calls ended for gateways that died"),
    (
        "callgate_calls_ended_total",
        "Calls that ended, by status, code and client (the id of one of the busiest, or other)",
    ),
    ("callgate_calls_gave_way_total", "Calls whose stream did not come and whose place went to another call"),
    ("callgate_calls_forgotten_total", "Calls that might have come back and were forgotten: too many of them"),
    ("callgate_calls_returned_total", "Calls that came back after their stream had ended, or while it hung"),
    ("callgate_calls_rehomed_total", "Calls that were moved to another worker thread"),
    ("callgate_calls_without_media_total", "Calls that ended before their stream began"),
    ("callgate_carrier_events_dropped_total", "Events beside audio that came faster than a call takes them, by kind"),
    ("callgate_carrier_rests_total", "Times that a media socket was not read for a moment since it sent too much"),
    (
        "callgate_controls_dropped_total",
        "Hang-ups and results of functions dropped because as many as may wait already did, for a call between two actors",
    ),
    ("callgate_context_left_out_total", "Variables of a client's answer to who calls that were too many or too large"),
    ("callgate_context_total", "Times that a client was asked who calls, by what it came to"),
    (
        "callgate_cost_microusd_total",
        "What the model's tokens cost by the list of prices, by client, millionths of a US dollar",
    ),
    ("callgate_counted_total", "What went wrong in calls without ending them, by what it was"),
    ("callgate_effects_unheard_total", "Results of functions that came when their call was over for good"),
    ("callgate_events_cut_total", "Parts of events that were too large and were told as links"),
    ("callgate_frames_dropped_total", "Audio frames dropped because a queue was full, by queue"),
    ("callgate_frames_late_total", "Audio frames sent to the caller too late"),
    ("callgate_frames_total", "Audio frames, by direction"),
    ("callgate_http_requests_total", "Requests answered, by route and status"),
    ("callgate_interruptions_total", "Times that a caller cut the agent short"),
    ("callgate_backchannels_total", "Coughs and listeners' words that did not"),
    ("callgate_jobs_total", "Attempts at jobs, by kind and outcome"),
    ("callgate_junk_total", "Messages that could not be understood, by who sent them"),
    ("callgate_media_refused_total", "Media sockets that were refused at their start event"),
    ("callgate_model_dials_total", "Attempts to connect to the model, by endpoint and what they came to"),
    ("callgate_model_events_dropped_total", "Events of the model that came faster than a call takes them, by kind"),
    ("callgate_model_lost_total", "Connections to the model that were lost in a call"),
    ("callgate_model_refused_total", "Times that the model's provider refused (a key, a model, a quota), by reason"),
    ("callgate_model_texts_cut_total", "Events of the model that said more than is kept of one"),
    (
        "callgate_record_dropped_total",
        "Records of calls, and of what happened in them, dropped because too many waited",
    ),
    ("callgate_previous_calls_missed_total", "Calls whose caller's earlier calls were not found in time"),
    ("callgate_record_superseded_total", "Records of calls dropped because another gateway has the call"),
    ("callgate_recording_dropped_total", "Pieces of recorded audio dropped because the disk was too slow"),
    ("callgate_recordings_failed_total", "Recordings that failed, by where; `full`: too little was free on the disk"),
    ("callgate_recordings_refused_total", "Recordings told of that are not fetched, by reason"),
    ("callgate_outcome_answers_refused_total", "Answers of text models that were not as the client's schema says"),
    ("callgate_outcome_tokens_total", "Tokens that text models used, by direction"),
    ("callgate_outcome_transcripts_cut_total", "Records of calls that were too long for a text model and sent in part"),
    ("callgate_outcomes_total", "What came of calls, as text models found it out, by status"),
    ("callgate_recordings_stored_total", "Recordings that reached the object store, by source"),
    ("callgate_refusals_total", "Requests refused, by code"),
    ("callgate_responses_incomplete_total", "Responses that a limit of the model's cut, by the limit"),
    ("callgate_responses_failed_total", "Responses that the model failed to give, by code"),
    ("callgate_restarts_total", "Parts of calls that were started again by their supervisor"),
    (
        "callgate_mcp_changed_total",
        "Sessions with MCP servers that had changed their functions since the client's file was applied",
    ),
    ("callgate_mcp_refused_total", "Requests of MCP servers to this client, which does nothing for them"),
    (
        "callgate_stalls_total",
        "Threads that serve and stood still for half a second, by whose fault: what runs on them, or a host that did not run us",
    ),
    (
        "callgate_slow_answers_total",
        "Answers that were heard too late (2 s; a greeting 1 s), by what was waited for, the largest part and its owner",
    ),
    ("callgate_tokens_total", "Tokens that the model used, by kind and client (the cached are among the input)"),
    ("callgate_tool_runs_total", "Functions of clients that were run, by function and what they came to"),
    ("callgate_tools_cancelled_total", "Functions that only look and were given up since their call was over"),
    (
        "callgate_tools_results_cut_total",
        "Results of functions of which the record has no more than the model was told",
    ),
    ("callgate_tools_unwritten_total", "Functions that began although it was not on record in time that they did"),
    (
        "callgate_traces_spans_total",
        "Spans of calls, by outcome: exported, dropped_full (too many waited), dropped_failed (the collector would not have them)",
    ),
    ("callgate_webhooks_total", "Webhooks answered, by outcome"),
];

const GAUGES: &[(&str, &str)] = &[
    ("callgate_audit_lag_seconds", "Age of the oldest audit entry that is not in the database yet"),
    ("callgate_audit_waiting", "Audit entries that are not in the database yet"),
    ("callgate_calls_kept", "Calls whose stream ended and that may come back"),
    ("callgate_calls_limit", "Calls that this node may have"),
    ("callgate_calls_live", "Calls that are live on this node"),
    ("callgate_calls_waiting", "Calls that wait for their stream"),
    ("callgate_connections", "Connections that are open, by whether anybody has authenticated on them"),
    ("callgate_draining", "1 when no new calls are taken"),
    ("callgate_jobs_oldest_seconds", "How long the oldest job has been due"),
    ("callgate_jobs_parked", "Jobs that are not allowed as the settings are"),
    ("callgate_jobs_waiting", "Jobs that are still to be done"),
    ("callgate_model_answered_seconds_ago", "How long ago a caller last heard the model begin an answer, if any did"),
    ("callgate_rate_keys", "Callers, clients and addresses that a limit remembers, by limit"),
    ("callgate_spool_free_bytes", "Room on the disk that recordings are written to during calls"),
    ("callgate_spool_size_bytes", "Size of that disk"),
    ("callgate_spool_waiting", "Recordings that are made, or wait on that disk to be stored"),
    (
        "callgate_recordings_as_wav",
        "1 while calls that end are kept as WAV, since the disk would be full before all is encoded, or by setting",
    ),
    ("callgate_recordings_backlog_seconds", "Seconds of recorded audio that wait to be encoded"),
    ("callgate_tools_running", "Functions of clients that run now, and questions who calls"),
];

const HISTOGRAMS: &[(&str, &str)] = &[
    ("callgate_answer_seconds", "From the caller's last speech to the agent's first audio sent to the caller"),
    ("callgate_context_seconds", "Time that a client took to say who calls"),
    ("callgate_event_loop_lag_seconds", "How much later than due a thread that serves looks after itself"),
    ("callgate_first_audio_seconds", "From the start of the media to the agent's first audio"),
    (
        "callgate_latency_seconds",
        "From what the caller waited since until they heard an answer, by what they waited for (turn, greeting, tool, nudge) and part (or whole)",
    ),
    ("callgate_http_seconds", "Time to answer a request, by route"),
    ("callgate_model_connect_seconds", "Time to connect to the model (TCP, TLS, handshake), by endpoint"),
    ("callgate_model_ready_seconds", "From dialling the model to a session that is configured"),
    ("callgate_model_round_trip_seconds", "Time that a ping of the model's connection took to be answered"),
    ("callgate_outcome_seconds", "Time that a text model took to find out what came of a call"),
    ("callgate_recordings_done_seconds", "From the end of a recording of ours until it is stored"),
    ("callgate_tool_seconds", "Time that a function of a client's took, by function"),
    ("callgate_webhook_seconds", "Time to answer a webhook"),
];

/// Describes them all to the recorder that was installed.
pub(super) fn describe() {
    for &(name, words) in COUNTERS {
        describe_counter!(name, words);
    }
    for &(name, words) in GAUGES {
        describe_gauge!(name, words);
    }
    for &(name, words) in HISTOGRAMS {
        describe_histogram!(name, words);
    }
}
