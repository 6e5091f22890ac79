-- Everything that holds state is dumped with the database.

DO $$
DECLARE
	stateful oid;
BEGIN
	FOR stateful IN
		SELECT c.oid FROM pg_catalog.pg_class c
		WHERE c.relnamespace = 'temporal'::pg_catalog.regnamespace AND c.relkind = 'r'
	LOOP
		PERFORM pg_catalog.pg_extension_config_dump(stateful, '');
	END LOOP;
END
$$;
