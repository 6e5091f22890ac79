\echo Use "CREATE EXTENSION temporal_test" to load this file. \quit

-- jsonb to message to jsonb; payloads come back in shorthand unless told else.
CREATE FUNCTION json_roundtrip(message_type text, document jsonb, shorthand boolean DEFAULT true)
RETURNS jsonb STRICT LANGUAGE c AS 'MODULE_PATHNAME', 'temporal_test_json_roundtrip';

-- What is wrong with the bytes of a message, NULL if nothing.
CREATE FUNCTION wire_check(message_type text, message bytea)
RETURNS text STRICT LANGUAGE c AS 'MODULE_PATHNAME', 'temporal_test_wire_check';

CREATE FUNCTION to_wire(message_type text, document jsonb)
RETURNS bytea STRICT LANGUAGE c AS 'MODULE_PATHNAME', 'temporal_test_to_wire';

CREATE FUNCTION from_wire(message_type text, message bytea, shorthand boolean DEFAULT false)
RETURNS jsonb STRICT LANGUAGE c AS 'MODULE_PATHNAME', 'temporal_test_from_wire';

-- Bytes to message to bytes.
CREATE FUNCTION wire_roundtrip(message_type text, message bytea)
RETURNS bytea STRICT LANGUAGE c AS 'MODULE_PATHNAME', 'temporal_test_wire_roundtrip';

-- The same of an event, as it is stored; NULL if its size is told wrong.
CREATE FUNCTION event_roundtrip(event bytea)
RETURNS bytea STRICT LANGUAGE c AS 'MODULE_PATHNAME', 'temporal_test_event_roundtrip';

-- The helpers that know no full form.
CREATE FUNCTION payload_roundtrip(value jsonb)
RETURNS jsonb STRICT LANGUAGE c AS 'MODULE_PATHNAME', 'temporal_test_payload_roundtrip';

CREATE FUNCTION payloads_roundtrip("values" jsonb)
RETURNS jsonb STRICT LANGUAGE c AS 'MODULE_PATHNAME', 'temporal_test_payloads_roundtrip';

-- Whether an attempt that failed is followed by another, and after how long.
CREATE FUNCTION retry_decision(policy jsonb, attempt integer, failure jsonb, time_left interval)
RETURNS text LANGUAGE c AS 'MODULE_PATHNAME', 'temporal_test_retry_decision';

-- Whether a session of this server is certain to have ended.
CREATE FUNCTION session_ended(pid integer, started timestamptz, server_started timestamptz)
RETURNS boolean STRICT LANGUAGE c AS 'MODULE_PATHNAME', 'temporal_test_session_ended';
