-- A shop: every order is charged, approved if it is large, reserved, shipped.
--
-- Inserting an order starts its workflow in the same transaction.  Each
-- activity writes its rows in the transaction that completes it, so that its
-- effects are there exactly once, whatever is killed and whenever.
--
--     psql -f examples/payment.sql
--     INSERT INTO shop.orders VALUES (1, 'You', 'TEAPOT-A', 1, 34.50, '0119');
--     CALL temporal.await_result('order-1');
--     SELECT * FROM temporal.history('order-1');

CREATE SCHEMA shop;

CREATE TABLE shop.orders (
	order_id integer PRIMARY KEY,
	customer text NOT NULL,
	sku text NOT NULL,
	quantity integer NOT NULL,
	amount numeric(10, 2) NOT NULL,
	card text NOT NULL,
	approved_by text
);

-- No constraint keeps an order from being charged or shipped twice.
CREATE TABLE shop.payment (
	order_id integer NOT NULL,
	amount numeric(10, 2) NOT NULL,
	attempt integer NOT NULL,
	paid_at timestamptz NOT NULL DEFAULT clock_timestamp()
);

CREATE TABLE shop.stock (
	sku text PRIMARY KEY,
	on_hand integer NOT NULL CHECK (on_hand >= 0),
	reserved integer NOT NULL DEFAULT 0
);

CREATE TABLE shop.shipment (
	order_id integer NOT NULL,
	shipped_at timestamptz NOT NULL DEFAULT clock_timestamp()
);

-- Of everything enough, but few of two kinds of globe.
INSERT INTO shop.stock
SELECT good || '-' || variant, CASE WHEN good = 'GLOBE' AND variant < 'C' THEN 15 ELSE 1000 END
FROM unnest('{ATLAS,BOOTS,CAMERA,DESK,EASEL,FLUTE,GLOBE,HAMMOCK,INK,JACKET,KETTLE,LAMP,MIRROR,
	NOTEBOOK,ORCHID,PIANO,QUILT,RADIO,SADDLE,TEAPOT}'::text[]) good, unnest('{A,B,C}'::text[]) variant;

-- ---- the workflow ----

CREATE FUNCTION shop.needs_approval(amount numeric) RETURNS boolean
LANGUAGE sql IMMUTABLE
RETURN amount > 500;

-- The whole life of an order.  A kill at any point of it changes nothing.
CREATE FUNCTION shop.fulfil(o shop.orders) RETURNS text
LANGUAGE plpgsql AS $$
DECLARE
	otherwise text := 'declined';
BEGIN
	PERFORM temporal.execute_activity('charge_card', o);
	PERFORM temporal.compensate('refund', o);
	otherwise := 'refunded';

	IF shop.needs_approval(o.amount) AND temporal.await_signal('approved', timeout => '7 days') IS NULL THEN
		PERFORM temporal.run_compensations();
		RETURN 'not approved';
	END IF;

	PERFORM temporal.execute_activity('reserve', o);
	PERFORM temporal.sleep('2 seconds');	-- until the van leaves
	PERFORM temporal.execute_activity('ship', o);
	RETURN 'shipped';
EXCEPTION WHEN SQLSTATE 'TF011' THEN		-- an activity has failed for good
	PERFORM temporal.run_compensations();
	RETURN otherwise;
END
$$;

CREATE FUNCTION shop.start_order() RETURNS trigger
LANGUAGE plpgsql AS $$
BEGIN
	PERFORM temporal.start_workflow('order', to_jsonb(new), workflow_id => 'order-' || new.order_id);
	RETURN NULL;
END
$$;

CREATE TRIGGER start_order AFTER INSERT ON shop.orders
FOR EACH ROW EXECUTE FUNCTION shop.start_order();

-- ---- activities ----

-- Stands for the payment provider: some cards are declined, some need patience.
CREATE FUNCTION shop.ask_bank(card text, attempt integer) RETURNS void
LANGUAGE plpgsql AS $$
BEGIN
	IF card = '0002' THEN
		PERFORM temporal.fail('card 0002 is declined', 'CardDeclined', non_retryable => true);
	ELSIF card = '0119' AND attempt <= 2 THEN
		RAISE EXCEPTION 'the bank of card % does not answer', card;
	ELSIF card = '9995' AND attempt = 1 THEN
		RAISE EXCEPTION 'card % has insufficient funds', card;
	END IF;
END
$$;

CREATE FUNCTION shop.charge_card(o shop.orders) RETURNS numeric
LANGUAGE plpgsql AS $$
DECLARE
	attempt integer := temporal.activity_info() ->> 'attempt';
BEGIN
	PERFORM shop.ask_bank(o.card, attempt);
	INSERT INTO shop.payment VALUES (o.order_id, o.amount, attempt);
	RETURN o.amount;
END
$$;

CREATE FUNCTION shop.refund(o shop.orders) RETURNS numeric
LANGUAGE sql AS $$
	INSERT INTO shop.payment VALUES (o.order_id, -o.amount, 1) RETURNING amount
$$;

CREATE FUNCTION shop.reserve(o shop.orders) RETURNS integer
LANGUAGE plpgsql AS $$
BEGIN
	UPDATE shop.stock SET on_hand = on_hand - o.quantity, reserved = reserved + o.quantity
	WHERE sku = o.sku AND on_hand >= o.quantity;
	IF NOT FOUND THEN
		PERFORM temporal.fail(o.sku || ' is out of stock', 'OutOfStock', non_retryable => true);
	END IF;
	RETURN o.quantity;
END
$$;

CREATE FUNCTION shop.ship(o shop.orders) RETURNS void
LANGUAGE sql AS $$
	INSERT INTO shop.shipment VALUES (o.order_id)
$$;

SELECT temporal.register_workflow('shop.fulfil', 'order'),
	temporal.register_activity('shop.charge_card'),
	temporal.register_activity('shop.refund'),
	temporal.register_activity('shop.reserve'),
	temporal.register_activity('shop.ship');

-- ---- people ----

-- Large orders that have been paid and wait for somebody to say yes.
CREATE VIEW shop.waiting_for_approval AS
SELECT o.order_id, o.customer, o.amount, p.paid_at
FROM shop.orders o
JOIN shop.payment p USING (order_id)
WHERE shop.needs_approval(o.amount) AND o.approved_by IS NULL;

-- The workflow hears of it if, and only if, the row says so.
CREATE FUNCTION shop.approve(order_id integer, who text) RETURNS void
LANGUAGE sql
BEGIN ATOMIC
	UPDATE shop.orders SET approved_by = approve.who WHERE orders.order_id = approve.order_id;
	SELECT temporal.signal_workflow('order-' || order_id, 'approved', jsonb_build_object('by', who));
END;

-- What became of each order: its workflow, and what it left in our tables.
CREATE VIEW shop.outcome AS
SELECT o.order_id, o.customer, o.quantity, o.amount, w.runs, w.status,
	CASE w.status WHEN 'Completed' THEN temporal.workflow_result('order-' || o.order_id) #>> '{}' END AS result,
	coalesce(p.charges, 0) AS charges, coalesce(p.paid, 0) AS paid, coalesce(s.shipments, 0) AS shipments
FROM shop.orders o
LEFT JOIN (SELECT workflow_id, count(*) AS runs, min(status) AS status
	FROM temporal.workflows WHERE workflow_type = 'order' GROUP BY workflow_id) w
	ON w.workflow_id = 'order-' || o.order_id
LEFT JOIN (SELECT order_id, count(*) FILTER (WHERE amount > 0) AS charges, sum(amount) AS paid
	FROM shop.payment GROUP BY order_id) p USING (order_id)
LEFT JOIN (SELECT order_id, count(*) AS shipments FROM shop.shipment GROUP BY order_id) s USING (order_id);

-- All zero when every workflow has ended and nothing was lost or done twice.
CREATE VIEW shop.mistakes AS
SELECT count(*) FILTER (WHERE charges > 1) AS charged_twice,
	count(*) FILTER (WHERE shipments > 1) AS shipped_twice,
	count(*) FILTER (WHERE runs IS DISTINCT FROM 1 OR status <> 'Completed') AS lost,
	count(*) FILTER (WHERE paid <> amount * shipments) AS wrongly_paid,
	(SELECT sum(reserved) FROM shop.stock) - coalesce(sum(quantity) FILTER (WHERE shipments > 0), 0)
		AS wrongly_reserved
FROM shop.outcome;
