-- Looks for what the crash soak has broken, and prints figures.  psql variable:
-- folder, as for crash.sql.  The table problem is empty if all is well.

SET search_path = soak;

CREATE TABLE line (workflow_id text, activity_id text, attempt integer, nonce text, at float8);
CREATE TABLE rollback (nonce text);
-- From a kill until the server accepts connections again.
CREATE TABLE kill (target text, at float8, up float8);
\set file :folder '/lines'
COPY line FROM :'file' (DELIMITER ' ');
\set file :folder '/rollbacks'
COPY rollback FROM :'file' (DELIMITER ' ');
\set file :folder '/kills'
COPY kill FROM :'file' (DELIMITER ' ');

CREATE TABLE event AS
	SELECT w.workflow_id, h.*,
		max(h.event_id) OVER run AS last_id,
		row_number() OVER run AS position,
		lead(h.event_type) OVER run AS next_type,
		lead(h.attributes) OVER run AS next_attributes
	FROM (SELECT DISTINCT workflow_id FROM operation) w, temporal.history(w.workflow_id) h
	WINDOW run AS (PARTITION BY w.workflow_id ORDER BY h.event_id
		ROWS BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING);
CREATE INDEX ON event (workflow_id, event_type);

CREATE TABLE problem (workflow_id text, problem text);

-- ------------------------------------------------------------ the workflows

INSERT INTO problem
	SELECT o.workflow_id, format('has %s runs, %s completed, %s current', count(e.run_id),
		count(e.run_id) FILTER (WHERE e.status = 2), count(c.run_id))
	FROM (SELECT DISTINCT workflow_id FROM operation) o
		LEFT JOIN temporal.execution e USING (workflow_id)
		LEFT JOIN temporal.current_execution c USING (shard, namespace_id, run_id)
	GROUP BY o.workflow_id
	HAVING (count(e.run_id), count(e.run_id) FILTER (WHERE e.status = 2), count(c.run_id)) <> (1, 1, 1);

-- ------------------------------------------------------------ the histories

INSERT INTO problem
	SELECT workflow_id, format('event %s has id %s', position, event_id)
	FROM event WHERE event_id <> position;
INSERT INTO problem
	SELECT workflow_id, format('event %s is %s', event_id, event_type)
	FROM event
	WHERE (event_id = 1) <> (event_type = 'WorkflowExecutionStarted')
		OR (event_id = last_id) <> (event_type = 'WorkflowExecutionCompleted')
		OR event_type NOT IN ('WorkflowExecutionStarted', 'WorkflowExecutionSignaled',
			'WorkflowExecutionCompleted', 'WorkflowTaskScheduled', 'WorkflowTaskStarted',
			'WorkflowTaskCompleted', 'WorkflowTaskTimedOut', 'WorkflowTaskFailed',
			'ActivityTaskScheduled', 'ActivityTaskStarted', 'ActivityTaskCompleted',
			'TimerStarted', 'TimerFired');

-- A workflow task begins once, after the last one has ended, and ends at once:
-- what happens meanwhile comes after it.
INSERT INTO problem
	SELECT s.workflow_id, format('workflow task %s was started %s times', s.event_id, count(f.event_id))
	FROM event s LEFT JOIN event f ON f.workflow_id = s.workflow_id
		AND f.event_type = 'WorkflowTaskStarted'
		AND (f.attributes ->> 'scheduledEventId')::bigint = s.event_id AND f.event_id > s.event_id
	WHERE s.event_type = 'WorkflowTaskScheduled'
	GROUP BY s.workflow_id, s.event_id HAVING count(f.event_id) <> 1;
INSERT INTO problem
	SELECT workflow_id, format('workflow task %s is followed by %s', event_id, next_type)
	FROM event
	WHERE event_type = 'WorkflowTaskStarted' AND (next_type NOT IN ('WorkflowTaskCompleted',
			'WorkflowTaskTimedOut', 'WorkflowTaskFailed')
		OR (next_attributes ->> 'startedEventId')::bigint <> event_id
		OR next_attributes ->> 'scheduledEventId' <> attributes ->> 'scheduledEventId');
INSERT INTO problem
	SELECT workflow_id, format('workflow task %s was scheduled beside another', event_id)
	FROM (SELECT *, lag(event_type) OVER (PARTITION BY workflow_id ORDER BY event_id) AS previous
		FROM event WHERE event_type LIKE 'WorkflowTask%') e
	WHERE event_type = 'WorkflowTaskScheduled'
		AND previous NOT IN ('WorkflowTaskCompleted', 'WorkflowTaskTimedOut', 'WorkflowTaskFailed');
INSERT INTO problem
	SELECT workflow_id, format('the commands of event %s', event_id)
	FROM event e
	WHERE attributes ? 'workflowTaskCompletedEventId' AND NOT EXISTS (SELECT FROM event t
		WHERE t.workflow_id = e.workflow_id AND t.event_type = 'WorkflowTaskCompleted'
			AND t.event_id = (e.attributes ->> 'workflowTaskCompletedEventId')::bigint
			AND t.event_id < e.event_id);

-- Five activities, each started once and completed once.  Events that were
-- buffered with them may stand in between.
CREATE TABLE activity AS
	SELECT s.workflow_id, s.attributes ->> 'activityId' AS activity_id,
		s.attributes #>> '{taskQueue,name}' AS queue, s.event_id,
		count(*) FILTER (WHERE f.event_type = 'ActivityTaskStarted') AS started,
		count(*) FILTER (WHERE f.event_type = 'ActivityTaskCompleted') AS completed,
		count(*) FILTER (WHERE f.event_type = 'ActivityTaskCompleted' AND EXISTS (SELECT FROM event t
			WHERE t.workflow_id = f.workflow_id AND t.event_type = 'ActivityTaskStarted'
				AND t.event_id = (f.attributes ->> 'startedEventId')::bigint AND t.event_id < f.event_id
				AND t.attributes -> 'scheduledEventId' = f.attributes -> 'scheduledEventId')) AS paired,
		max((f.attributes ->> 'attempt')::integer) AS attempt,
		max(f.attributes #>> '{lastFailure,message}') AS failure,
		max(temporal.decode_payloads(f.attributes -> 'result') #>> '{}') AS result
	FROM event s LEFT JOIN event f ON f.workflow_id = s.workflow_id
		AND f.event_type IN ('ActivityTaskStarted', 'ActivityTaskCompleted')
		AND (f.attributes ->> 'scheduledEventId')::bigint = s.event_id AND f.event_id > s.event_id
	WHERE s.event_type = 'ActivityTaskScheduled'
	GROUP BY s.workflow_id, s.attributes, s.event_id;
INSERT INTO problem
	SELECT workflow_id, format('activity %s was started %s times, completed %s times, %s together',
		activity_id, started, completed, paired)
	FROM activity WHERE (started, completed, paired) <> (1, 1, 1);
INSERT INTO problem
	SELECT workflow_id, format('an attempt of activity %s failed: %s', activity_id, failure)
	FROM activity
	WHERE failure <> CASE queue WHEN 'work' THEN 'session of the worker has ended'
		WHEN 'raw' THEN 'transaction of the worker was rolled back'
		ELSE 'activity StartToClose timeout' END;
INSERT INTO problem
	SELECT workflow_id, format('scheduled activities %s', string_agg(activity_id, ' ' ORDER BY event_id))
	FROM activity GROUP BY workflow_id
	HAVING string_agg(activity_id, ' ' ORDER BY event_id) <> '1 2 3 4 5';

-- Each signal is there once, the timer fired once.
INSERT INTO problem
	SELECT workflow_id, format('signals %s', string_agg(signal, ' ' ORDER BY signal))
	FROM (SELECT workflow_id, temporal.decode_payloads(attributes -> 'input') #>> '{}' AS signal
		FROM event WHERE event_type = 'WorkflowExecutionSignaled') s
	GROUP BY workflow_id
	HAVING string_agg(signal, ' ' ORDER BY signal) <> '1 2 3 4 5 6';
INSERT INTO problem
	SELECT workflow_id, format('%s timers, %s fired, %s of them', count(s), count(f),
		count(*) FILTER (WHERE (f.attributes ->> 'startedEventId')::bigint = s.event_id))
	FROM (SELECT * FROM event WHERE event_type = 'TimerStarted') s
		FULL JOIN (SELECT * FROM event WHERE event_type = 'TimerFired') f USING (workflow_id)
	GROUP BY workflow_id
	HAVING (count(s), count(f),
		count(*) FILTER (WHERE (f.attributes ->> 'startedEventId')::bigint = s.event_id)) <> (1, 1, 1);

-- -------------------------------------------------------------- the effects

-- In the database: once, and that of the attempt that completed.
INSERT INTO problem
	SELECT a.workflow_id, format('activity %s has %s effects: %s', a.activity_id, count(e.nonce),
		string_agg(e.nonce, ' '))
	FROM activity a LEFT JOIN effect e USING (workflow_id, activity_id)
	WHERE a.queue <> 'outside'
	GROUP BY a.workflow_id, a.activity_id, a.result, a.attempt
	HAVING count(e.nonce) <> 1 OR min(e.nonce) <> a.result OR min(e.attempt) <> a.attempt;
INSERT INTO problem
	SELECT e.workflow_id, format('effect of activity %s', e.activity_id)
	FROM effect e LEFT JOIN activity a USING (workflow_id, activity_id)
	WHERE a.queue IS NULL OR a.queue = 'outside';

-- Outside of it: once by the attempt that completed.
INSERT INTO problem
	SELECT a.workflow_id, format('activity %s has %s lines', a.activity_id, count(l.nonce))
	FROM activity a LEFT JOIN line l
		ON (l.workflow_id, l.activity_id, l.nonce, l.attempt)
			= (a.workflow_id, a.activity_id, a.result, a.attempt)
	GROUP BY a.workflow_id, a.activity_id
	HAVING count(l.nonce) <> 1;

-- And by others only if a kill or a rollback ended them.  An attempt that was
-- committed when it was taken is worked on once.
CREATE TABLE repetition AS
	SELECT l.*, a.queue, EXISTS (SELECT FROM rollback r WHERE r.nonce = l.nonce) AS rolled_back,
		EXISTS (SELECT FROM kill k WHERE k.up >= l.at AND k.at < (SELECT min(n.at) FROM line n
			WHERE (n.workflow_id, n.activity_id) = (l.workflow_id, l.activity_id) AND n.at > l.at))
			AS killed
	FROM line l LEFT JOIN activity a USING (workflow_id, activity_id)
	WHERE l.nonce IS DISTINCT FROM a.result;
INSERT INTO problem
	SELECT workflow_id, format('activity %s was repeated for no reason after attempt %s',
		activity_id, attempt)
	FROM repetition WHERE NOT rolled_back AND NOT killed;
INSERT INTO problem
	SELECT workflow_id, format('attempt %s of activity %s was worked on %s times', line.attempt,
		activity_id, count(*))
	FROM line JOIN activity a USING (workflow_id, activity_id)
	WHERE a.queue <> 'raw'
	GROUP BY workflow_id, activity_id, line.attempt HAVING count(*) > 1;

-- ------------------------------------------------------------------ the rest

INSERT INTO problem
	SELECT NULL, format('%s rows of %s are left', n, name)
	FROM (SELECT count(*), 'task' FROM temporal.task
		UNION ALL SELECT count(*), 'pending_activity' FROM temporal.pending_activity
		UNION ALL SELECT count(*), 'pending_timer' FROM temporal.pending_timer
		UNION ALL SELECT count(*), 'pending_external' FROM temporal.pending_external
		UNION ALL SELECT count(*), 'buffered_event' FROM temporal.buffered_event
		UNION ALL SELECT count(*), 'outbox' FROM temporal.outbox
		UNION ALL SELECT count(*), 'timer of open runs' FROM temporal.timer WHERE kind = 1
		UNION ALL SELECT count(*), 'timer with an error' FROM temporal.timer WHERE error IS NOT NULL
		) AS r (n, name)
	WHERE n > 0;

-- -------------------------------------------------------------- the figures

\echo
\echo 'kills, and seconds from one until the server is up, and from then until the next event'
SELECT target, count(*), round(percentile_cont(0.5) WITHIN GROUP (ORDER BY up - at)::numeric, 2) AS up_median,
	round(max(up - at)::numeric, 2) AS up_max,
	round(percentile_cont(0.5) WITHIN GROUP (ORDER BY next - up)::numeric, 2) AS event_median,
	round(max(next - up)::numeric, 2) AS event_max
FROM kill, LATERAL (SELECT min(extract(epoch FROM event_time)) AS next FROM event
	WHERE extract(epoch FROM event_time) > up) n
GROUP BY ROLLUP (target) ORDER BY target;

\echo 'activities, by how their workers work'
SELECT queue, count(*) AS activities, sum(attempt) AS attempts,
	(SELECT count(*) FROM effect e JOIN activity USING (workflow_id, activity_id)
		WHERE queue = a.queue) AS effects,
	(SELECT count(*) FROM line JOIN activity USING (workflow_id, activity_id)
		WHERE queue = a.queue) AS lines,
	(SELECT count(*) FROM repetition WHERE queue = a.queue AND killed AND NOT rolled_back) AS killed,
	(SELECT count(*) FROM repetition WHERE queue = a.queue AND rolled_back) AS rolled_back
FROM activity a GROUP BY queue ORDER BY queue;

\echo 'why activities were tried again'
SELECT queue, failure, count(*) FROM activity WHERE failure IS NOT NULL GROUP BY 1, 2 ORDER BY 1, 2;

\echo 'events'
SELECT event_type, count(*) FROM event GROUP BY 1 ORDER BY 1;

\echo 'problems'
SELECT * FROM problem ORDER BY 1, 2 LIMIT 100;
