-- Install script of the extension, built from sql/parts in order.
\echo Use "CREATE EXTENSION temporal" to load this file. \quit

-- Every object below lives in schema temporal; CREATE EXTENSION created it or
-- found it.  A schema with objects in it belongs to somebody else, and whoever
-- owns it could put functions beside ours later.
DO $$
DECLARE
	extension pg_catalog.pg_extension;
	schema_owner oid;
	encoding text := pg_catalog.current_setting('server_encoding');
BEGIN
	-- Payloads, names and failures are UTF-8, whatever they come from.
	IF encoding <> 'UTF8' THEN
		RAISE EXCEPTION 'extension "temporal" needs a database of encoding UTF8, not %', encoding
			USING ERRCODE = 'feature_not_supported',
				HINT = 'CREATE DATABASE ... ENCODING ''UTF8'' TEMPLATE template0';
	END IF;
	SELECT * INTO extension FROM pg_catalog.pg_extension WHERE extname = 'temporal';
	SELECT nspowner INTO schema_owner FROM pg_catalog.pg_namespace WHERE oid = extension.extnamespace;

	IF EXISTS (SELECT FROM pg_catalog.pg_depend
			   WHERE refclassid = 'pg_catalog.pg_namespace'::pg_catalog.regclass
				   AND refobjid = extension.extnamespace
				   AND classid <> 'pg_catalog.pg_extension'::pg_catalog.regclass) THEN
		RAISE EXCEPTION 'schema "temporal" is not empty'
			USING ERRCODE = 'duplicate_schema',
				HINT = 'Drop the schema or move its objects, then create the extension.';
	END IF;
	IF schema_owner <> extension.extowner
		AND NOT (SELECT rolsuper FROM pg_catalog.pg_roles WHERE oid = schema_owner) THEN
		RAISE EXCEPTION 'schema "temporal" is owned by %', schema_owner::pg_catalog.regrole
			USING ERRCODE = 'insufficient_privilege',
				HINT = 'Drop the schema, then create the extension.';
	END IF;
END
$$;
