-- The shop, days of it in one transaction.
BEGIN;
\ir include/worker.sql
\ir include/workflow.sql
SELECT * FROM no_plan();
\o /dev/null
\ir ../../examples/payment.sql
SELECT temporal.update_namespace('default', retention => '30 days');
\o

CREATE FUNCTION t.order(order_id integer, card text, amount numeric DEFAULT 10, sku text DEFAULT 'LAMP-A') RETURNS text
LANGUAGE plpgsql AS
$$
BEGIN
	INSERT INTO shop.orders VALUES (order_id, 'Ada', sku, 2, amount, card);
	PERFORM t.tick();
	RETURN t.outcome('order-' || order_id);
END
$$;

CREATE FUNCTION t.activities(workflow_id text) RETURNS text LANGUAGE sql AS
$$
	SELECT string_agg(attributes #>> '{activityType,name}', ' ' ORDER BY event_id)
	FROM temporal.history(workflow_id) WHERE event_type = 'ActivityTaskScheduled'
$$;

SELECT is(t.order(1, '4242'), 'running', 'a small order waits for the van');
SELECT temporal.skip_time('2 seconds'), t.tick() \g /dev/null
SELECT is(t.outcome('order-1'), '"shipped"', 'and is shipped');
SELECT is(t.activities('order-1'), 'charge_card reserve ship', 'after three activities');

SELECT is(t.order(2, '0119'), 'running', 'a bank that does not answer is asked again');
SELECT temporal.skip_time('1 second'), t.tick() \g /dev/null
SELECT temporal.skip_time('2 seconds'), t.tick() \g /dev/null
SELECT is((SELECT string_agg(attempt::text, ' ') FROM shop.payment WHERE order_id = 2), '3', 'it pays at the third attempt, once');
SELECT temporal.skip_time('2 seconds'), t.tick() \g /dev/null
SELECT is(t.outcome('order-2'), '"shipped"', 'then all goes on');

SELECT is(t.order(3, '0002'), '"declined"', 'a card that is declined is not asked again');
SELECT is((SELECT count(*) FROM shop.payment WHERE order_id = 3), 0::bigint, 'and pays nothing');

SELECT is(t.order(4, '4242', sku => 'GLOBE-X'), '"refunded"', 'what is out of stock is paid back');
SELECT is((SELECT sum(amount) FROM shop.payment WHERE order_id = 4), 0::numeric, 'to the cent');

SELECT is(t.order(5, '4242', 501), 'running', 'a large order waits for approval');
SELECT is((SELECT array_agg(order_id) FROM shop.waiting_for_approval), ARRAY[5], 'by somebody who can see it');
SELECT temporal.skip_time('6 days'), t.tick() \g /dev/null
SELECT shop.approve(5, 'the manager'), t.tick() \g /dev/null
SELECT temporal.skip_time('2 seconds'), t.tick() \g /dev/null
SELECT is(t.outcome('order-5'), '"shipped"', 'be it six days');

SELECT is(t.order(6, '4242', 501), 'running', 'another one');
SELECT temporal.skip_time('7 days'), t.tick() \g /dev/null
SELECT is(t.outcome('order-6'), '"not approved"', 'is given up after a week');
SELECT is(t.activities('order-6'), 'charge_card refund', 'and paid back');

SELECT temporal.mock_activity('charge_card', error => 'the bank has gone', non_retryable => true) \g /dev/null
SELECT is(t.order(7, '4242'), '"declined"', 'a bank that has gone');

SELECT is(to_jsonb(m), '{"charged_twice": 0, "shipped_twice": 0, "lost": 0, "wrongly_paid": 0, "wrongly_reserved": 0}', 'no mistakes')
FROM shop.mistakes m;
SELECT is(temporal.replay('shop.fulfil', 'order-' || n), NULL, format('order %s can be played again', n)) FROM generate_series(1, 7) n;
SELECT t.check('order-' || n) FROM generate_series(1, 7) n;
SELECT * FROM finish();
ROLLBACK;
