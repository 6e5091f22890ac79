-- Install script of the extension, built from sql/parts in order.
\echo Use "CREATE EXTENSION temporal" to load this file. \quit

-- Every object below lives in schema temporal; CREATE EXTENSION created it or
-- found it.  A schema with objects in it belongs to somebody else.
DO $$
BEGIN
	IF EXISTS (SELECT FROM pg_catalog.pg_class
			   WHERE relnamespace = 'temporal'::pg_catalog.regnamespace) THEN
		RAISE EXCEPTION 'schema "temporal" is not empty'
			USING HINT = 'Drop the schema or move its objects, then create the extension.';
	END IF;
END
$$;
