-- The agent, without a model.
BEGIN;
\ir include/worker.sql
\ir include/workflow.sql
SELECT count(*) > 0 AS has_python FROM pg_available_extensions WHERE name = 'plpython3u' \gset
\if :has_python
SELECT * FROM no_plan();
\o /dev/null
\ir ../../examples/agent/agent.sql
\o

-- What the model says to whatever it is asked.
CREATE FUNCTION t.model_says(tool text, argument text) RETURNS void LANGUAGE sql AS
$$ SELECT temporal.mock_activity('ask_model', jsonb_build_object('tool', tool, 'argument', argument, 'content', argument)) $$;

SELECT t.model_says('refund', '12.50') \g /dev/null
INSERT INTO agent.ticket VALUES (1, 'No lid.'), (2, 'No spout.'), (3, 'No tea.');
SELECT t.tick() \g /dev/null
SELECT is((SELECT array_agg(ticket_id || ' ' || amount ORDER BY ticket_id) FROM agent.to_approve), ARRAY['1 12.50', '2 12.50', '3 12.50'],
	'what the model wants to pay is to be approved');
SELECT is((SELECT count(*) FROM agent.refund), 0::bigint, 'before it is paid');
SELECT t.model_says(NULL, 'Sorry.') \g /dev/null
SELECT temporal.skip_time('23 hours'), t.tick() \g /dev/null
SELECT agent.decide(1, true), agent.decide(2, false), t.tick() \g /dev/null
SELECT is(t.outcome('ticket-' || n), '"Sorry."', format('customer %s gets an answer', n)) FROM generate_series(1, 2) n;
SELECT is(t.outcome('ticket-3'), 'running', 'the third waits');
SELECT temporal.skip_time('1 hour'), t.tick() \g /dev/null
SELECT is(t.outcome('ticket-3'), '"Sorry."', 'for a day');
SELECT is((SELECT array_agg(ticket_id || ' ' || amount) FROM agent.refund), ARRAY['1 12.50'], 'what was approved is paid');
SELECT is((SELECT array_agg(attributes #>> '{input,0,-1,content}' ORDER BY w.workflow_id)
	FROM unnest(ARRAY['ticket-1', 'ticket-2', 'ticket-3']) w (workflow_id), temporal.history(w.workflow_id)
	WHERE attributes #>> '{input,0,-1,role}' = 'tool'), ARRAY['paid', 'not approved', 'not approved'], 'and the model is told');

SELECT t.model_says('look_up_order', '7') \g /dev/null
INSERT INTO agent.ticket VALUES (4, 'What about order 7?');
SELECT t.tick() \g /dev/null
SELECT is(t.outcome('ticket-4'), '"A person will answer you."', 'a model that goes round in circles is stopped');
SELECT is((SELECT attributes #>> '{input,0,-1,content,item}' FROM temporal.history('ticket-4')
	WHERE event_type = 'ActivityTaskScheduled' ORDER BY event_id DESC LIMIT 1), 'TEAPOT', 'after it was told what is in the database');
SELECT is(temporal.replay('agent.answer', 'ticket-' || n), NULL, format('ticket %s can be played again', n)) FROM generate_series(1, 4) n;
SELECT t.check('ticket-' || n) FROM generate_series(1, 4) n;
SELECT * FROM finish();
\else
SELECT plan(1);
SELECT skip('PL/Python is not installed', 1);
SELECT * FROM finish();
\endif
ROLLBACK;
