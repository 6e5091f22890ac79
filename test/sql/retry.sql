-- Retry policies: what they must not say, and what follows a failed attempt.
\pset format unaligned
\pset tuples_only on
CREATE EXTENSION temporal_test;
SET search_path = temporal_test, public;

CREATE FUNCTION pg_temp.failure(info jsonb DEFAULT '{"applicationFailureInfo": {}}') RETURNS jsonb
LANGUAGE sql AS $$ SELECT '{"message": "f"}' || info $$;
CREATE FUNCTION pg_temp.after(policy jsonb, attempt integer DEFAULT 1,
	failure jsonb DEFAULT pg_temp.failure(), time_left interval DEFAULT NULL)
RETURNS text LANGUAGE sql AS $$ SELECT retry_decision(policy, attempt, failure, time_left) $$;

-- Pauses.
SELECT attempt, pg_temp.after('{}', attempt) FROM generate_series(1, 9) AS attempt;
SELECT attempt, pg_temp.after('{}', attempt) FROM unnest(array[100, 2000, 2147483647]) AS attempt;
SELECT pg_temp.after('{"initialInterval": "0.25s", "backoffCoefficient": 1.5}', 3);
SELECT pg_temp.after('{"initialInterval": "5s"}', 20);
SELECT pg_temp.after('{"maximumInterval": "3s"}', 3);
SELECT pg_temp.after('{"initialInterval": "315576000000s", "backoffCoefficient": 1e308}', 2);

-- The failure asks for a delay, or for what cannot be.
SELECT delay, pg_temp.after('{"maximumInterval": "3s"}', 7,
	pg_temp.failure(jsonb_build_object('applicationFailureInfo', jsonb_build_object('nextRetryDelay', delay))))
FROM unnest(array['0s', '0.001s', '3600s', '-1s']) AS delay;

-- The number of attempts.
SELECT attempt, pg_temp.after('{"maximumAttempts": 3}', attempt) FROM generate_series(1, 4) AS attempt;
SELECT pg_temp.after('{"maximumAttempts": 1}');

-- Time.
SELECT time_left, pg_temp.after('{}', 2, time_left => time_left)
FROM unnest(array['2.000001s', '2s', '1.999999s', '-1s']::interval[]) AS time_left;

-- Failures that are final, whatever the policy.
SELECT info, pg_temp.after('{"nonRetryableErrorTypes": ["X", "TemporalTimeout:Heartbeat"]}', 1, pg_temp.failure(info))
FROM unnest(array['{}',
	'{"applicationFailureInfo": {"type": "X"}}', '{"applicationFailureInfo": {"type": "x"}}',
	'{"applicationFailureInfo": {"nonRetryable": true}}',
	'{"applicationFailureInfo": {"type": "Y"}, "cause": {"applicationFailureInfo": {"type": "X", "nonRetryable": true}}}',
	'{"timeoutFailureInfo": {"timeoutType": "TIMEOUT_TYPE_START_TO_CLOSE"}}',
	'{"timeoutFailureInfo": {"timeoutType": "TIMEOUT_TYPE_HEARTBEAT"}}',
	'{"serverFailureInfo": {}}', '{"serverFailureInfo": {"nonRetryable": true}}',
	'{"canceledFailureInfo": {}}', '{"terminatedFailureInfo": {}}',
	'{"activityFailureInfo": {}, "cause": {"canceledFailureInfo": {}}}',
	'{"childWorkflowExecutionFailureInfo": {}}']::jsonb[]) AS info;

-- What comes first: the failure, the attempts, the time.
SELECT pg_temp.after('{"maximumAttempts": 1, "nonRetryableErrorTypes": ["X"]}', 1,
	pg_temp.failure('{"applicationFailureInfo": {"type": "X"}}'), '0s');
SELECT pg_temp.after('{"maximumAttempts": 1}', 1, time_left => '0s');

-- Policies that are refused.
SELECT policy, pg_temp.after(policy) FROM unnest(array[
	'{"initialInterval": "-1s"}', '{"maximumInterval": "-1s"}', '{"backoffCoefficient": 0.99}',
	'{"backoffCoefficient": "NaN"}', '{"backoffCoefficient": -1}', '{"maximumAttempts": -1}',
	'{"initialInterval": "2s", "maximumInterval": "1s"}', '{"maximumInterval": "0.5s"}',
	'{"nonRetryableErrorTypes": ["TemporalTimeout:StartToClose", "TemporalTimeout:"]}',
	'{"maximumAttempts": 1, "backoffCoefficient": 0.5}']::jsonb[]) AS policy;

DROP EXTENSION temporal_test;
