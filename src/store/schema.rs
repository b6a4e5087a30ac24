//! The tables, as both databases have them.

diesel::table! {
    clients (id) {
        id -> BigInt,
        name -> Text,
        exotel_number -> Text,
        active -> Bool,
        region -> Text,
        time_zone -> Text,
        greeting -> Text,
        language -> Text,
        transcription_language -> Nullable<Text>,
        voice -> Nullable<Text>,
        instructions -> Text,
        model -> Nullable<Text>,
        tools -> Text,
        max_concurrent -> Nullable<Integer>,
        calls_per_minute -> Nullable<Integer>,
        caller_calls_per_minute -> Nullable<Integer>,
        max_call_secs -> Nullable<Integer>,
        recording -> Bool,
        events_url -> Nullable<Text>,
        events_secret -> Nullable<Text>,
        document -> Nullable<Text>,
        version -> Integer,
        analysed -> Bool,
        created_at -> Timestamp,
        updated_at -> Timestamp,
    }
}

diesel::table! {
    client_numbers (number) {
        number -> Text,
        client_id -> BigInt,
    }
}

diesel::table! {
    client_secrets (client_id, name) {
        client_id -> BigInt,
        name -> Text,
        sealed -> Text,
        updated_at -> Timestamp,
    }
}

diesel::table! {
    client_tokens (id) {
        id -> BigInt,
        client_id -> BigInt,
        hash -> Text,
        created_at -> Timestamp,
    }
}

diesel::table! {
    calls (id) {
        id -> BigInt,
        call_sid -> Text,
        client_id -> Nullable<BigInt>,
        from_number -> Nullable<Text>,
        from_raw -> Nullable<Text>,
        to_number -> Nullable<Text>,
        to_raw -> Nullable<Text>,
        direction -> Nullable<Text>,
        entry -> Nullable<Text>,
        status -> Text,
        carrier_status -> Nullable<Text>,
        ended_by -> Nullable<Text>,
        ended_why -> Nullable<Text>,
        ended_code -> Nullable<Text>,
        ended_rank -> Nullable<SmallInt>,
        ended_rev -> Integer,
        owner -> Nullable<Text>,
        generation -> Integer,
        streams -> Integer,
        asked_at -> Nullable<Timestamp>,
        over_at -> Nullable<Timestamp>,
        dial_status -> Nullable<Text>,
        started_at -> Timestamp,
        answered_at -> Nullable<Timestamp>,
        media_at -> Nullable<Timestamp>,
        ended_at -> Nullable<Timestamp>,
        ended_at_source -> Nullable<Text>,
        stream_sid -> Nullable<Text>,
        duration_ms -> Nullable<BigInt>,
        caller_talk_ms -> Nullable<BigInt>,
        agent_talk_ms -> Nullable<BigInt>,
        turn_count -> Nullable<Integer>,
        interruptions -> Nullable<Integer>,
        first_audio_ms -> Nullable<BigInt>,
        answer_p50_ms -> Nullable<BigInt>,
        answer_p95_ms -> Nullable<BigInt>,
        answer_max_ms -> Nullable<BigInt>,
        unheard_ms -> Nullable<BigInt>,
        model_reconnects -> Nullable<Integer>,
        frames_lost -> Nullable<BigInt>,
        tokens -> Nullable<Text>,
        cost_microusd -> Nullable<BigInt>,
        secret_keys -> Bool,
    }
}

diesel::table! {
    turns (id) {
        id -> BigInt,
        call_id -> BigInt,
        index -> Integer,
        who -> Text,
        text -> Text,
        at_ms -> BigInt,
        heard_ms -> BigInt,
        generated_ms -> BigInt,
        interrupted -> Bool,
        answer_ms -> Nullable<BigInt>,
        clip -> Bool,
        backchannel -> Bool,
        latency -> Nullable<Text>,
    }
}

diesel::table! {
    call_steps (call_id, kind, number) {
        call_id -> BigInt,
        kind -> Text,
        number -> BigInt,
        at_ms -> BigInt,
        tool_call_id -> Nullable<Text>,
        name -> Nullable<Text>,
        wait_ms -> Nullable<BigInt>,
        output -> Nullable<Text>,
        input -> Text,
        whole -> Nullable<Text>,
    }
}

diesel::table! {
    call_transfers (call_id, number) {
        call_id -> BigInt,
        number -> Integer,
        at -> Timestamp,
        destination -> Nullable<Text>,
        reason -> Text,
        summary -> Nullable<Text>,
        cause -> Text,
        outcome -> Nullable<Text>,
    }
}

diesel::table! {
    call_outcomes (call_id) {
        call_id -> BigInt,
        status -> Text,
        outcome -> Nullable<Text>,
        why -> Nullable<Text>,
        model -> Nullable<Text>,
        updated_at -> Timestamp,
    }
}

diesel::table! {
    recordings (id) {
        id -> BigInt,
        call_id -> BigInt,
        source_url -> Text,
        status -> Text,
        stored_url -> Nullable<Text>,
        bytes -> Nullable<BigInt>,
        sha256 -> Nullable<Text>,
        error -> Nullable<Text>,
        content_type -> Nullable<Text>,
        created_at -> Timestamp,
        updated_at -> Timestamp,
    }
}

diesel::table! {
    audit_log (id) {
        id -> BigInt,
        at -> Timestamp,
        kind -> Text,
        call_sid -> Nullable<Text>,
        remote_addr -> Nullable<Text>,
        request_id -> Nullable<Text>,
        outcome -> Text,
        payload -> Text,
        prev_hash -> Nullable<Text>,
        hash -> Nullable<Text>,
    }
}

diesel::table! {
    audit_head (id) {
        id -> Integer,
        last_id -> BigInt,
        hash -> Text,
    }
}

diesel::table! {
    jobs (id) {
        id -> BigInt,
        kind -> Text,
        key -> Text,
        payload -> Text,
        status -> Text,
        attempts -> Integer,
        run_at -> Timestamp,
        last_error -> Nullable<Text>,
        created_at -> Timestamp,
        updated_at -> Timestamp,
        lease_owner -> Nullable<Text>,
        leased_until -> Nullable<Timestamp>,
        ordering -> Nullable<Text>,
        node -> Nullable<Text>,
    }
}

diesel::table! {
    nodes (id) {
        id -> Text,
        name -> Text,
        started_at -> Timestamp,
        lease_until -> Timestamp,
    }
}

diesel::joinable!(client_numbers -> clients (client_id));
diesel::joinable!(client_tokens -> clients (client_id));
diesel::joinable!(calls -> clients (client_id));
diesel::joinable!(turns -> calls (call_id));
diesel::joinable!(call_transfers -> calls (call_id));
diesel::joinable!(recordings -> calls (call_id));
diesel::allow_tables_to_appear_in_same_query!(clients, client_numbers, client_tokens);
diesel::allow_tables_to_appear_in_same_query!(clients, calls, turns, recordings);
diesel::allow_tables_to_appear_in_same_query!(jobs, calls);
diesel::allow_tables_to_appear_in_same_query!(audit_log, calls);
diesel::allow_tables_to_appear_in_same_query!(nodes, calls);
