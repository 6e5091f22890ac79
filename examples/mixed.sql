-- Orders whose workflow runs in a worker of one of Temporal's SDKs, see the
-- folders beside this file.  A row starts the workflow, in the transaction
-- that inserts it; one activity of the workflow is a function here.

CREATE SCHEMA mixed;

CREATE TABLE mixed.orders (
	order_id bigint PRIMARY KEY,
	amount numeric NOT NULL,
	language text NOT NULL CHECK (language IN ('go', 'java', 'python', 'sql', 'typescript')));

CREATE TABLE mixed.payment (
	order_id bigint PRIMARY KEY REFERENCES mixed.orders,
	amount numeric NOT NULL);

-- The activity "charge": its row and its completion are one transaction, so an
-- order is charged once, whatever crashes.
CREATE FUNCTION mixed.charge(task jsonb) RETURNS text
LANGUAGE sql
AS $$
	INSERT INTO mixed.payment VALUES ((task ->> 'order_id')::bigint, (task ->> 'amount')::numeric)
	RETURNING 'charged ' || amount
$$;

SELECT temporal.register_activity('mixed.charge', 'charge', task_queue => 'payments');

-- The same workflow in SQL, with the activity "ship" of the TypeScript worker.
CREATE FUNCTION mixed.process(task jsonb) RETURNS text
LANGUAGE plpgsql
AS $$
DECLARE
	charged text;
	shipped text;
BEGIN
	charged := temporal.execute_activity('charge', task, task_queue => 'payments', result => charged);
	shipped := temporal.execute_activity('ship', task, task_queue => 'orders-typescript', result => shipped);
	RETURN charged || ', ' || shipped;
END
$$;

SELECT temporal.register_workflow('mixed.process', 'Order', task_queue => 'orders-sql');

-- A start that is rolled back with its order has never happened.
CREATE FUNCTION mixed.start_order() RETURNS trigger
LANGUAGE plpgsql
AS $$
BEGIN
	PERFORM temporal.start_workflow('Order', to_jsonb(NEW), workflow_id => 'mixed-' || NEW.order_id,
		task_queue => 'orders-' || NEW.language);
	RETURN NULL;
END
$$;

CREATE TRIGGER start_order AFTER INSERT ON mixed.orders
	FOR EACH ROW EXECUTE FUNCTION mixed.start_order();
