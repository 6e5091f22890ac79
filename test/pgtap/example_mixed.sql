-- Orders in SQL that are shipped by a worker outside: here this test.
BEGIN;
\ir include/worker.sql
\ir include/workflow.sql
SELECT * FROM no_plan();
\o /dev/null
\ir ../../examples/mixed.sql
\o

INSERT INTO mixed.orders VALUES (1, 9.99, 'sql'), (2, 5, 'python');
SELECT t.tick() \g /dev/null
SELECT is((SELECT string_agg(order_id || ' ' || amount, ', ') FROM mixed.payment), '1 9.99', 'an order in SQL is charged by itself');
SELECT is(t.outcome('mixed-1'), 'running', 'and waits for who ships it');
SELECT t.poll_activity('orders-typescript') AS task \gset
SELECT is(:'task'::jsonb #>> '{activityType,name}', 'ship', 'who finds it in the other queue');
SELECT temporal.skip_time('30 seconds') \g /dev/null
SELECT t.complete_activity(:'task', '["shipped by hand"]'), t.tick() \g /dev/null
SELECT is(t.outcome('mixed-1'), '"charged 9.99, shipped by hand"', 'and it is over');

SELECT is(t.outcome('mixed-2'), 'running', 'an order of an SDK waits for its worker');
SELECT t.poll('orders-python') AS task \gset
SELECT is(:'task'::jsonb #>> '{workflowType,name}', 'Order', 'who gets a workflow of the same type');
SELECT is(temporal.replay('mixed.process', 'mixed-1'), NULL, 'the order in SQL can be played again');
SELECT t.check('mixed-' || n) FROM generate_series(1, 2) n;
SELECT * FROM finish();
ROLLBACK;
