-- Stocktaking: a warehouse counts all its shelves at the same time, and waits
-- for the last of them.
--
--     psql -f examples/fanout.sql
--     CALL temporal.execute_workflow('take_stock', '100');
--     TABLE stocktaking.report;

CREATE SCHEMA stocktaking;

CREATE TABLE stocktaking.shelf (
	shelf integer PRIMARY KEY,
	items integer NOT NULL
);
INSERT INTO stocktaking.shelf SELECT n, n * 7 % 90 FROM generate_series(1, 1000) n;

-- No constraint keeps a shelf from being counted twice.
CREATE TABLE stocktaking.counted (
	workflow_id text NOT NULL,
	shelf integer NOT NULL,
	attempt integer NOT NULL
);

CREATE TABLE stocktaking.report (
	workflow_id text PRIMARY KEY,
	shelves integer NOT NULL,
	items bigint NOT NULL
);

-- Something stands before every tenth shelf when one comes first.
CREATE FUNCTION stocktaking.count_shelf(shelf integer) RETURNS integer
LANGUAGE plpgsql AS $$
DECLARE
	info jsonb := temporal.activity_info();
BEGIN
	IF shelf % 10 = 0 AND (info ->> 'attempt')::integer = 1 THEN
		RAISE EXCEPTION 'a forklift stands before shelf %', shelf;
	END IF;
	INSERT INTO stocktaking.counted VALUES (info ->> 'workflow_id', shelf, (info ->> 'attempt')::integer);
	RETURN (SELECT s.items FROM stocktaking.shelf s WHERE s.shelf = count_shelf.shelf);
END
$$;

CREATE FUNCTION stocktaking.take_stock(shelves integer) RETURNS bigint
LANGUAGE plpgsql AS $$
DECLARE
	handles bigint[];
	items bigint;
BEGIN
	FOR shelf IN 1 .. shelves LOOP
		handles := handles || temporal.start_activity('count_shelf', shelf);
	END LOOP;
	items := (SELECT sum(counted::integer) FROM unnest(temporal.await_all(handles)) counted);
	PERFORM temporal.step('report', 'INSERT INTO stocktaking.report VALUES ($1, $2, $3)',
		temporal.workflow_info() ->> 'workflow_id', shelves, items);
	RETURN items;
END
$$;

SELECT temporal.register_workflow('stocktaking.take_stock'), temporal.register_activity('stocktaking.count_shelf');
