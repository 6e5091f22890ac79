-- What one asks after a crash.  Run by psql, with has_agents=1 or 0.

\pset footer off

\echo 'What became of the orders?'
SELECT result, count(*) AS orders, sum(amount) AS ordered, sum(paid) AS paid
FROM shop.outcome GROUP BY result ORDER BY orders DESC;

\echo 'Was anything lost, or done twice?'
TABLE shop.mistakes;

SELECT order_id AS chosen, attempt - 1 AS failures FROM shop.payment WHERE amount > 0
ORDER BY (attempt = 3) DESC, attempt DESC, order_id LIMIT 1
\gset
\echo 'The history of order' :chosen 'without its workflow tasks; attempts to charge it that failed:' :failures
SELECT event_id AS id, to_char(event_time, 'HH24:MI:SS.MS') AS "time", event_type,
	coalesce(attributes #>> '{activityType,name}', attributes ->> 'timerId', attributes ->> 'signalName',
		temporal.decode_payloads(attributes -> 'result') #>> '{}',
		'attempt ' || (attributes ->> 'attempt') || coalesce(', after: ' || (attributes #>> '{lastFailure,message}'), ''))
		AS what
FROM temporal.history('order-' || :chosen)
WHERE event_type NOT LIKE 'WorkflowTask%';

\echo 'The new customers:'
SELECT c.name, temporal.workflow_result('onboarding-' || c.email) #>> '{}' AS result,
	string_agg(m.kind, ', ' ORDER BY m.sent_at) AS mails
FROM onboarding.customer c
LEFT JOIN onboarding.mail m USING (email)
GROUP BY c.email ORDER BY c.name;

\echo 'Money was moved; has any been made?'
SELECT split_part(temporal.workflow_result(workflow_id) #>> '{}', ':', 1) AS transfers, count(*)
FROM temporal.workflows WHERE workflow_type = 'transfer' GROUP BY 1 ORDER BY 1;
SELECT (SELECT sum(balance) FROM bank.account) - 1000 AS made, (SELECT sum(amount) FROM bank.entry) AS in_the_books,
	(SELECT count(*) FROM (SELECT FROM bank.entry GROUP BY transfer, account, amount HAVING count(*) > 1) e) AS booked_twice;

\echo 'The warehouse was counted, every shelf once:'
SELECT r.shelves, r.items, count(DISTINCT c.shelf) AS counted, count(c.shelf) - count(DISTINCT c.shelf) AS counted_twice,
	count(*) FILTER (WHERE attempt > 1) AS at_a_second_attempt
FROM stocktaking.report r JOIN stocktaking.counted c USING (workflow_id) GROUP BY r.workflow_id;

\if :has_agents
\echo 'The agents asked a model that is busy, or hangs:'
SELECT t.ticket_id, temporal.workflow_result('ticket-' || ticket_id) #>> '{}' AS answer, refunds.paid, refunds.times,
	count(*) FILTER (WHERE a.name = 'ask_model') AS answers, sum(a.attempts - 1) AS attempts_that_failed
FROM agent.ticket t
LEFT JOIN LATERAL (SELECT sum(amount) AS paid, count(*) AS times FROM agent.refund r WHERE r.ticket_id = t.ticket_id) refunds ON true
JOIN LATERAL temporal.timeline('ticket-' || t.ticket_id) a ON a.kind = 'activity'
GROUP BY t.ticket_id, refunds.paid, refunds.times ORDER BY t.ticket_id;

\echo 'What the first of them has done:'
SELECT kind, name, attempts, round(extract(epoch FROM duration), 1) AS seconds,
	coalesce(failure, concat_ws(' ', result ->> 'tool', result ->> 'argument', result ->> 'content'), '')
		|| CASE WHEN kind = 'activity' THEN '' ELSE coalesce(result, input) #>> '{}' END AS outcome
FROM temporal.timeline('ticket-1') ORDER BY event_id;
\endif
