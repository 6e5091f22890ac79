-- What one asks after a crash.  Run by psql.

\pset footer off

\echo 'What became of the orders?'
SELECT result, count(*) AS orders, sum(amount) AS ordered, sum(paid) AS paid
FROM shop.outcome GROUP BY result ORDER BY orders DESC;

\echo 'Was anything lost, or done twice?'
TABLE shop.mistakes;

\echo 'The history of an order that failed twice, without its workflow tasks:'
SELECT order_id AS failed_twice FROM shop.payment WHERE attempt = 3 ORDER BY order_id LIMIT 1
\gset
SELECT event_id AS id, to_char(event_time, 'HH24:MI:SS.MS') AS "time", event_type,
	coalesce(attributes ->> 'activityId', attributes ->> 'timerId', attributes ->> 'signalName',
		temporal.decode_payloads(attributes -> 'result') #>> '{}',
		'attempt ' || (attributes ->> 'attempt') || coalesce(', after: ' || (attributes #>> '{lastFailure,message}'), ''))
		AS what
FROM temporal.history('order-' || :failed_twice)
WHERE event_type NOT LIKE 'WorkflowTask%';

\echo 'The new customers:'
SELECT c.name, temporal.workflow_result('onboarding-' || c.email) #>> '{}' AS result,
	string_agg(m.kind, ', ' ORDER BY m.sent_at) AS mails
FROM onboarding.customer c
LEFT JOIN onboarding.mail m USING (email)
GROUP BY c.email ORDER BY c.name;
