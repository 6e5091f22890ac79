-- Proto-JSON and the wire: what is accepted, what comes back, what is refused.
\pset format unaligned
\pset tuples_only on
CREATE EXTENSION temporal_test;
SET search_path = temporal_test, public;

-- What a statement fails with; what it returns if it does not.
CREATE FUNCTION pg_temp.try(call text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	result text;
	detail text;
BEGIN
	EXECUTE 'SELECT ' || call INTO result;
	RETURN result;
EXCEPTION WHEN OTHERS THEN
	GET STACKED DIAGNOSTICS detail = PG_EXCEPTION_DETAIL;
	RETURN format('%s: %s. %s', SQLSTATE, SQLERRM, detail);
END $$;

-- One message type after the other, with values that are alike.
CREATE FUNCTION pg_temp.event(document jsonb) RETURNS jsonb LANGUAGE sql AS
	$$ SELECT json_roundtrip('temporal.api.history.v1.HistoryEvent', document) $$;
CREATE FUNCTION pg_temp.payloads(document jsonb) RETURNS jsonb LANGUAGE sql AS
	$$ SELECT json_roundtrip('temporal.api.common.v1.Payloads', document) $$;
CREATE FUNCTION pg_temp.duration(text) RETURNS text LANGUAGE sql AS
	$$ SELECT pg_temp.try(format('json_roundtrip(%L, %L)', 'google.protobuf.Duration', to_jsonb($1))) $$;
CREATE FUNCTION pg_temp.timestamp(text) RETURNS text LANGUAGE sql AS
	$$ SELECT pg_temp.try(format('json_roundtrip(%L, %L)', 'google.protobuf.Timestamp', to_jsonb($1))) $$;


--
-- Names, defaults, oneofs
--

SELECT pg_temp.event('{"event_id": 5, "taskId": "7", "timer_started_event_attributes": {"timerId": "t"}}');
-- defaults and null are left out, a oneof member and an empty message are not
SELECT pg_temp.event('{"eventId": "0", "version": null, "workerMayIgnore": false, "links": []}');
SELECT pg_temp.event('{"timerFiredEventAttributes": {}, "eventTime": "1970-01-01T00:00:00Z"}');
SELECT json_roundtrip('temporal.api.common.v1.ResetOptions', document)
FROM (VALUES (jsonb '{"workflowTaskId": 0}'), ('{"buildId": ""}'), ('{"firstWorkflowTask": {}}')) v(document);
SELECT pg_temp.try('pg_temp.event(''{"eventIdd": 1}'')');
SELECT pg_temp.try('pg_temp.event(''{"eventId": 1, "event_id": 1}'')');
SELECT pg_temp.try('pg_temp.event(''{"timerFiredEventAttributes": {}, "timerStartedEventAttributes": {}}'')');
SELECT pg_temp.event('{"timerFiredEventAttributes": {}, "timerStartedEventAttributes": null}');
SELECT pg_temp.try('pg_temp.event(''[]'')');
SELECT pg_temp.try('pg_temp.event(''{"timerFiredEventAttributes": "x"}'')');
SELECT pg_temp.try('pg_temp.event(''{"links": {}}'')');
SELECT pg_temp.try('pg_temp.event(''{"links": [null]}'')');
SELECT pg_temp.try($$ json_roundtrip('temporal.api.workflowservice.v1.RespondWorkflowTaskCompletedRequest',
	'{"commands": [{"startTimerCommandAttributes": {"startToFireTimeout": "1s"}},
				   {"startTimerCommandAttributes": {"startToFireTimeout": "abc"}}]}') $$);
SELECT pg_temp.try($$ json_roundtrip('temporal.api.common.v1.Callback.Nexus', '{"header": {"a": 1}}') $$);
SELECT pg_temp.try(format('pg_temp.event(%L)', jsonb_build_object('timerId', repeat('x', 200))));
SELECT pg_temp.try(format('pg_temp.event(%L)', jsonb_build_object('eventId', repeat('ä', 200))));


--
-- Enums
--

SELECT document, pg_temp.event(jsonb_build_object('eventType', document))
FROM (VALUES (jsonb '"EVENT_TYPE_TIMER_STARTED"'), ('"TimerStarted"'), ('17'), ('17.0'), ('9999'), ('-1'),
	('"Unspecified"')) v(document);
SELECT pg_temp.try(format('pg_temp.event(%L)', jsonb_build_object('eventType', document)))
FROM (VALUES (jsonb '"timerStarted"'), ('"TIMER_STARTED"'), ('"TimerStartedX"'), ('"Timer"'), ('""'), ('"17"'),
	('17.5'), ('3000000000'), ('true')) v(document);
SELECT json_roundtrip('temporal.api.common.v1.ResetOptions', '{"resetReapplyExcludeTypes": ["Signal", 2, 0]}');


--
-- Numbers
--

SELECT document, pg_temp.try(format('pg_temp.event(%L)', jsonb_build_object('eventId', document)))
FROM (VALUES (jsonb '"9223372036854775807"'), ('9223372036854775807'), ('-9223372036854775808'), ('1e3'), ('5.000'),
	('"5.0"'), ('9223372036854775808'), ('-9223372036854775809'), ('1e30'), ('5.5'), ('"5.5"'), ('""'), ('"-"'), ('" 5"'),
	('"+5"'), ('"0x5"'), ('"5."'), ('true'), ('[]')) v(document);
SELECT document, pg_temp.try(format('json_roundtrip(%L, %L)', 'temporal.api.common.v1.RetryPolicy',
	jsonb_build_object('maximumAttempts', document)))
FROM (VALUES (jsonb '2147483647'), ('"-2147483648"'), ('2147483648')) v(document);
SELECT document, pg_temp.try(format('json_roundtrip(%L, %L)', 'temporal.api.common.v1.MeteringMetadata',
	jsonb_build_object('nonfirstLocalActivityExecutionAttempts', document)))
FROM (VALUES (jsonb '4294967295'), ('"1"'), ('-0'), ('-1'), ('4294967296')) v(document);
SET extra_float_digits = -15;
SELECT document, pg_temp.try(format('json_roundtrip(%L, %L)', 'temporal.api.common.v1.RetryPolicy',
	jsonb_build_object('backoffCoefficient', document)))
FROM (VALUES (jsonb '2'), ('0.1'), ('1.7976931348623157e3'), ('"1.5e3"'), ('1e-7'), ('1e-323'), ('"NaN"'), ('"Infinity"'),
	('"-Infinity"'), ('"inf"'), ('"1e309"'), ('"0x10"'), ('"1 "'), ('""'), ('true')) v(document);
SELECT document, pg_temp.try(format('json_roundtrip(%L, %L)', 'temporal.api.common.v1.Priority',
	jsonb_build_object('fairnessWeight', document)))
FROM (VALUES (jsonb '0.1'), ('1e39')) v(document);
RESET extra_float_digits;
SELECT pg_temp.try('pg_temp.event(''{"workerMayIgnore": "true"}'')'), pg_temp.event('{"workerMayIgnore": true}');


--
-- Strings and bytes
--

SELECT document, pg_temp.try(format('json_roundtrip(%L, %L)', 'temporal.api.common.v1.DataBlob',
	jsonb_build_object('data', document)))
FROM (VALUES (jsonb '"+/8="'), ('"-_8"'), ('"+/8"'), ('"-_8="'), ('"AA=="'), ('"AA"'), ('""'), ('"A"'), ('"A==="'),
	('"===="'), ('"AA=A"'), ('"+/8\n="'), ('"\r\nAA\n"'), ('"=\n"'), ('"AAA A"'), ('"AAAA="'), ('"!!!!"'), ('5')) v(document);
SELECT pg_temp.try($$ json_roundtrip('temporal.api.common.v1.WorkflowExecution', '{"workflowId": 5}') $$);
SELECT json_roundtrip('temporal.api.common.v1.WorkflowExecution', '{"workflowId": "häß\u20ac 😀 \"\n"}');


--
-- Duration and Timestamp, whatever the settings
--

SET DateStyle = 'SQL, DMY';
SET TimeZone = 'America/New_York';
SELECT d, pg_temp.duration(d)
FROM unnest('{0s,10s,1.5s,-1.5s,-0.000001s,0.123456789s,1.10s,315576000000s,-315576000000.999999999s,315576000001s,
	1,1.5,s,.5s,1.s,+1s,1.5s ," 1s",1.1234567890s,1e3s,1m,"",--1s,9999999999999s}'::text[]) d;
SELECT t, pg_temp.timestamp(t)
FROM unnest('{2026-08-01T10:00:00Z,2026-08-01T10:00:00.5Z,2026-08-01T10:00:00.123456Z,2026-08-01T10:00:00.123456789Z,
	2026-08-01T10:00:00+02:00,2026-08-01T00:30:00-05:30,1969-12-31T23:59:59.999Z,2024-02-29T12:00:00Z,
	0001-01-01T00:00:00Z,9999-12-31T23:59:59.999999999Z,2000-02-29T00:00:00Z,1900-02-28T00:00:00Z,
	0001-01-01T00:00:00+00:01,9999-12-31T23:59:59-00:01,0000-01-01T00:00:00Z,2023-02-29T12:00:00Z,1900-02-29T00:00:00Z,
	2026-13-01T00:00:00Z,2026-00-01T00:00:00Z,2026-01-00T00:00:00Z,2026-04-31T00:00:00Z,2026-01-01T24:00:00Z,
	2026-01-01T00:60:00Z,2026-01-01T00:00:60Z,2026-01-01 00:00:00Z,2026-01-01T00:00:00,2026-01-01T00:00:00+0200,
	2026-01-01T00:00:00.Z,2026-01-01T00:00:00.1234567890Z,2026-01-01T00:00:00+24:00,2026-01-01,now,""}'::text[]) t;
-- every day is its own
SELECT count(*) FROM generate_series(timestamp '0001-01-01', '9999-12-31', '17 days') d
WHERE json_roundtrip('google.protobuf.Timestamp', to_jsonb(to_char(d, 'YYYY-MM-DD"T12:34:56Z"')))
	IS DISTINCT FROM to_jsonb(to_char(d, 'YYYY-MM-DD"T12:34:56Z"'));
RESET DateStyle;
RESET TimeZone;
SELECT pg_temp.try($$ json_roundtrip('google.protobuf.Duration', '5') $$),
	pg_temp.try($$ json_roundtrip('google.protobuf.Timestamp', 'true') $$);
-- out of range on the wire: readable all the same
SELECT from_wire('google.protobuf.Timestamp', '\x08ffffffffffffffff7f'), from_wire('google.protobuf.Timestamp', '\x1080c2d72f'),
	from_wire('google.protobuf.Duration', '\x080110ffffffffffffffffff01');


--
-- Wrappers, FieldMask, maps
--

SELECT document, pg_temp.try(format('json_roundtrip(%L, %L)', 'temporal.api.taskqueue.v1.TaskQueueMetadata',
	jsonb_build_object('maxTasksPerSecond', document)))
FROM (VALUES (jsonb '0'), ('1.5'), ('null'), ('{"value": 1}')) v(document);
SELECT document, pg_temp.try(format('json_roundtrip(%L, %L)', 'google.protobuf.FieldMask', document)),
	pg_temp.try(format('to_wire(%L, %L)', 'google.protobuf.FieldMask', document))
FROM (VALUES (jsonb '"a.b,cD"'), ('"fooBar.bazQux,snake_case"'), ('""'), ('"a,,b"'), ('"a b"'), ('["a"]')) v(document);
SELECT json_roundtrip('temporal.api.common.v1.Callback.Nexus', '{"url": "u", "header": {"b": "2", "a": "", "": "x"}}');
SELECT pg_temp.try($$ json_roundtrip('temporal.api.common.v1.Callback.Nexus', '{"header": {"a": null}}') $$);
SELECT pg_temp.try($$ json_roundtrip('temporal.api.common.v1.Callback.Nexus', '{"header": ["a"]}') $$);


--
-- Any
--

CREATE FUNCTION pg_temp.body(document jsonb) RETURNS text LANGUAGE sql AS
	$$ SELECT pg_temp.try(format('json_roundtrip(%L, %L)', 'temporal.api.protocol.v1.Message',
		jsonb_build_object('body', document))) $$;
SELECT pg_temp.body(document)
FROM (VALUES
	(jsonb '{"@type": "type.googleapis.com/temporal.api.update.v1.Request",
			 "meta": {"updateId": "u"}, "input": {"name": "n", "args": [1, {"a": []}]}}'),
	('{"@type": "type.googleapis.com/google.protobuf.Duration", "value": "1.5s"}'),
	('{"@type": "type.googleapis.com/google.protobuf.Empty", "value": {}}'),
	('{"@type": "x/google.protobuf.Any", "value": {"@type": "x/google.protobuf.FieldMask", "value": "a,b"}}'),
	('{"typeUrl": "type.googleapis.com/not.Ours", "value": "AQID"}'),
	('{}'),
	('{"@type": "type.googleapis.com/not.Ours"}'),
	('{"@type": "temporal.api.update.v1.Request"}'),
	('{"@type": 5}'),
	('{"@type": "type.googleapis.com/google.protobuf.Duration"}'),
	('{"@type": "type.googleapis.com/google.protobuf.Duration", "value": "1.5"}'),
	('{"@type": "type.googleapis.com/temporal.api.update.v1.Request", "meta": {"id": "u"}}'),
	('5')) v(document);
-- bytes in it that are not what its type says
SELECT from_wire('google.protobuf.Any', to_wire('google.protobuf.Any',
	'{"typeUrl": "type.googleapis.com/temporal.api.update.v1.Request", "value": "AQID"}'));


--
-- Payloads
--

-- shorthand in, shorthand out
SELECT document, pg_temp.payloads(document), json_roundtrip('temporal.api.common.v1.Payloads', document, false)
FROM (VALUES (jsonb '[]'), ('[1, "a", true, null, [], {}, {"a": {"b": null}}]'), ('[{"_protoMessageType": "a.B", "x": 1}]'),
	('{"payloads": [5]}'), ('{}')) v(document);
-- full in, the shortest that reads back as the same out
SELECT pg_temp.payloads(jsonb_build_array(document))
FROM (VALUES
	(jsonb '{"metadata": {"encoding": "anNvbi9wbGFpbg=="}, "data": "eyJhIjogMX0="}'),
	('{"metadata": {"encoding": "YmluYXJ5L251bGw="}}'),
	('{"metadata": {"encoding": "YmluYXJ5L3BsYWlu"}, "data": "AAEC"}'),
	('{"metadata": {"encoding": "YmluYXJ5L3BsYWlu"}}'),
	('{"metadata": {"encoding": "anNvbi9wbGFpbg==", "type": "S2V5d29yZA=="}, "data": "IngiCg=="}'),
	('{"metadata": {}, "data": ""}'),
	('{"metadata": {"x": ""}, "data": ""}'),
	('{"metadata": {"encoding": "anNvbi9wbGFpbg=="}, "data": "e30=", "externalPayloads": [{"sizeBytes": "5"}]}')) v(document);
-- what only looks like a payload in full
SELECT pg_temp.payloads(jsonb_build_array(document))
FROM (VALUES
	(jsonb '{"metadata": {"encoding": "anNvbi9wbGFpbg=="}, "data": "e30=", "more": 1}'),
	('{"metadata": {"encoding": "!"}, "data": "e30="}'), ('{"metadata": {"name": "test"}}'), ('{"metadata": {"encoding": "utf8"}}'),
	('{"data": "e30="}'), ('{"metadata": [], "data": ""}'), ('{"metadata": {"a": 1}, "data": ""}'),
	('{"metadata": {"a": ""}, "data": 5}'), ('{"_protoMessageType": ""}'), ('{"_protoMessageType": 5}')) v(document);
-- one without shorthand, and all are in full
SELECT pg_temp.payloads('[1, {"metadata": {"encoding": "YmluYXJ5L3BsYWlu"}, "data": "AAEC"}]');
SELECT pg_temp.try('pg_temp.payloads(''5'')'), pg_temp.try('pg_temp.payloads(''{"payloads": 5}'')'),
	pg_temp.try('pg_temp.payloads(''{"a": 5}'')');
-- null: an unset field, but a value in a list or map
SELECT json_roundtrip('temporal.api.common.v1.Memo', '{"fields": {"a": null, "b": 1, "c": "x"}}'),
	json_roundtrip('temporal.api.sdk.v1.UserMetadata', '{"summary": null, "details": "x"}'),
	json_roundtrip('temporal.api.sdk.v1.UserMetadata', '{"summary": {"metadata": {"encoding": "YmluYXJ5L251bGw="}}}'),
	json_roundtrip('temporal.api.update.v1.Input', '{"args": null}');
-- json/plain that jsonb cannot hold stays as it is
SELECT convert_from(data, 'LATIN1') AS data,
	pg_temp.payloads(jsonb_build_array(jsonb_build_object('metadata', jsonb '{"encoding": "anNvbi9wbGFpbg=="}', 'data',
		encode(data, 'base64')))) AS json
FROM (SELECT convert_to(t, 'LATIN1') AS data
	  FROM (VALUES ('"\u0000"'), ('"\ud800"'), ('"\udc00\ud800"'), ('"\ud83d\ude00"'), ('"ä"'), ('1e401'), ('-1e-401'), ('-1e12'),
		('{"a":1} x'), ('{"a":1'), ('{"a" 1}'), ('{a:1}'), ('[1,]'), ('[1 2]'), ('{"a":1,}'), ('[}'), (''), (' '), ('nul'), ('nulls'),
		('01'), ('1.'), ('.5'), ('-'), ('+1'), ('1e'), ('"'), ('"\x"'), ('"\u12"'), (E'"\t"'), ('NaN'),
		(E' \n[ 1.50 , { "b" : null } , "\\n\\u00e4" ]\r\t'), ('true'), ('-0.0')) v(t)) d;
SELECT length(pg_temp.payloads(jsonb_build_array(jsonb_build_object('metadata', jsonb '{"encoding": "anNvbi9wbGFpbg=="}', 'data',
	encode(convert_to(t, 'UTF8'), 'base64'))))::text)
FROM (VALUES (repeat('[', 1000) || repeat(']', 1000)), (repeat('[', 1001) || repeat(']', 1001)), (repeat('[', 100000)),
	(repeat('{"a":', 1000) || '1' || repeat('}', 1000)), (repeat('9', 1000)), (repeat('9', 1001))) v(t);
-- json/protobuf whose data are no object, or already have the key
SELECT pg_temp.payloads(jsonb_build_array(jsonb_build_object('metadata',
	jsonb '{"encoding": "anNvbi9wcm90b2J1Zg==", "messageType": "YS5C"}', 'data', encode(convert_to(t, 'UTF8'), 'base64'))))
FROM (VALUES ('{"a":1}'), ('[]'), ('{"_protoMessageType":"b"}'), ('x')) v(t);
-- the engine's helpers know no full form
SELECT payload_roundtrip('null'), payload_roundtrip('[1]'), payloads_roundtrip('[1, null, {"a": "b"}]'), payloads_roundtrip('[]'),
	payload_roundtrip('{"metadata": {"encoding": "YmluYXJ5L251bGw="}}');
SELECT pg_temp.try('payloads_roundtrip(''5'')'), pg_temp.try('payloads_roundtrip(''{}'')');


--
-- The wire
--

CREATE FUNCTION pg_temp.failure(depth int) RETURNS bytea LANGUAGE plpgsql AS $$
DECLARE
	result bytea := '';
	len int;
BEGIN
	FOR i IN 1 .. depth LOOP
		len := length(result);
		result := '\x22'::bytea ||
			CASE WHEN len < 128 THEN set_byte('\x00', 0, len)
			ELSE set_byte(set_byte('\x0000', 0, len % 128 + 128), 1, len / 128) END || result;
	END LOOP;
	RETURN result;
END $$;
SELECT to_wire('temporal.api.history.v1.HistoryEvent', '{"eventId": 5, "eventType": "TimerStarted",
	"timerStartedEventAttributes": {"timerId": "t", "startToFireTimeout": "-1.5s"}}');
SELECT what, wire_check('temporal.api.workflowservice.v1.RespondWorkflowTaskCompletedRequest', bytes)
FROM (VALUES ('empty', bytea ''),
	('good', '\x0a0161120808014a041202612a'),
	('tag cut', '\x80'), ('tag too long', '\x808080808001'), ('field 0', '\x0000'), ('field 2^29', '\x808080801000'),
	('wire type 3', '\x0b'), ('wire type 7', '\x0f'), ('group unknown', '\xfb07'),
	('length cut', '\x0a80'), ('length beyond', '\x0a05616263'), ('length 2^32 - 1', '\x0affffffff0f'),
	('length too long', '\x0a808080808001'), ('varint for string', '\x0801'), ('UTF-8', '\x1a02c328'), ('overlong', '\x1a02c080'),
	('surrogate', '\x1a03eda080'), ('NUL', '\x1a03610062'), ('varint too long', '\x28ffffffffffffffffffff01'),
	('varint cut', '\x28ff'), ('nested', '\x120608021a020aff'), ('nested NUL', '\x12061a040a020061'),
	('unknown varint', '\xf8ff7f05'), ('unknown 64 bit', '\xf9ff7f0102030405060708'), ('unknown 64 bit cut', '\xf9ff7f01'),
	('unknown 32 bit', '\xfdff7f01020304'), ('unknown 32 bit cut', '\xfdff7f01'), ('unknown bytes', '\xfaff7f0200ff'),
	('unknown bytes cut', '\xfaff7f05'),
	('singular message twice', '\x22002200')) v(what, bytes);
SELECT what, wire_check('temporal.api.common.v1.ResetOptions', bytes)
FROM (VALUES ('packed', '\x620301ff01'::bytea), ('not packed', '\x60016002'), ('packed cut', '\x620180'), ('wire type', '\x6501020304')) v(what, bytes);
-- a oneof twice: the last one wins
SELECT from_wire('temporal.api.common.v1.ResetOptions', '\x0a0012001805');
SELECT from_wire('temporal.api.common.v1.ResetOptions', '\x2201612201622a'::bytea || '\x0161');
SELECT depth, wire_check('temporal.api.failure.v1.Failure', pg_temp.failure(depth))
FROM (VALUES (100), (101), (5000)) v(depth);
SELECT wire_check('temporal.api.failure.v1.Failure', decode(repeat('2a00', 100), 'hex'));
-- refused before it takes hundreds of times its size
SELECT wire_check('temporal.api.history.v1.History', decode(repeat('0a00', 3000000), 'hex'));
SELECT pg_temp.try($$ from_wire('temporal.api.common.v1.WorkflowExecution', '\x0a03610062') $$);
SELECT pg_temp.try($$ from_wire('no.such.Message', '') $$);
-- fields and enum values that we do not know survive
SELECT wire_roundtrip('temporal.api.common.v1.Payload', bytes) = bytes, from_wire('temporal.api.common.v1.Payload', bytes)
FROM (VALUES ('\x12016ff8ff7f05f9ff7f0102030405060708faff7f020aff'::bytea)) v(bytes);
SELECT from_wire('temporal.api.history.v1.HistoryEvent', '\x18ffffffffffffffffff01'),
	wire_roundtrip('temporal.api.history.v1.HistoryEvent', '\x188f4e');
-- an event is packed by the fields of its own type, and nothing is lost: with any
-- attributes or none, a type that does not fit, unknown fields and those of all types
CREATE FUNCTION pg_temp.tag(field int) RETURNS bytea LANGUAGE sql AS $$ SELECT CASE WHEN field < 16
	THEN set_byte('\x00', 0, field * 8 + 2) ELSE set_byte(set_byte('\x0000', 0, (field * 8 + 2) % 128 + 128), 1, (field * 8 + 2) / 128) END $$;
SELECT count(*), count(DISTINCT packed), bool_and(packed = wire_roundtrip('temporal.api.history.v1.HistoryEvent', event))
FROM (SELECT event, event_roundtrip(event) AS packed FROM (SELECT '\x0805120208011805'::bytea || pg_temp.tag(field) || '\x00' || rest AS event
	FROM generate_series(6, 140) field, (VALUES (''::bytea), ('\xc20c00e01201ea1200f21200')) r (rest)) e) p;
-- members of a map without key or value
SELECT from_wire('temporal.api.common.v1.Memo', '\x0a000a030a0161', true);

-- depth in JSON is counted as on the wire
CREATE FUNCTION pg_temp.deep(depth int) RETURNS jsonb LANGUAGE sql AS
	$$ SELECT (repeat('{"cause":', depth) || '{}' || repeat('}', depth))::jsonb $$;
SELECT wire_check('temporal.api.failure.v1.Failure', to_wire('temporal.api.failure.v1.Failure', pg_temp.deep(100)));
SELECT pg_temp.try($$ to_wire('temporal.api.failure.v1.Failure', pg_temp.deep(101)) $$);
-- a payload takes one more for its metadata: the deepest that JSON accepts passes the wire
SELECT depth, left(pg_temp.try(format($$ wire_check('temporal.api.failure.v1.Failure', to_wire('temporal.api.failure.v1.Failure',
	(repeat('{"cause":', %s) || '{"encodedAttributes": 1}' || repeat('}', %s))::jsonb)) $$, depth, depth)), 20)
FROM (VALUES (98), (99)) v(depth);
SELECT depth, left(pg_temp.try(format($$ wire_check('temporal.api.failure.v1.Failure', to_wire('temporal.api.failure.v1.Failure',
	(repeat('{"cause":', %s) || '{"applicationFailureInfo": {"details": [1]}}' || repeat('}', %s))::jsonb)) $$, depth, depth)), 20)
FROM (VALUES (96), (97)) v(depth);


-- messages are UTF-8, and nothing is converted
SELECT current_database() AS db \gset
CREATE DATABASE temporal_latin1 TEMPLATE template0 ENCODING 'LATIN1' LC_COLLATE 'C' LC_CTYPE 'C';
\c temporal_latin1
CREATE EXTENSION temporal_test;
SELECT temporal_test.json_roundtrip('temporal.api.common.v1.Payload', '1');
SELECT temporal_test.from_wire('temporal.api.common.v1.Payload', '');
\c :db
DROP DATABASE temporal_latin1;
DROP EXTENSION temporal_test;
