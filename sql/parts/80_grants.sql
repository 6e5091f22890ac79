-- Nobody may do anything until temporal.grant_usage() says so; functions then
-- check the rights of their caller, tables show what row security lets through.

REVOKE ALL ON SCHEMA temporal FROM PUBLIC;
REVOKE ALL ON ALL TABLES IN SCHEMA temporal FROM PUBLIC;
REVOKE ALL ON ALL ROUTINES IN SCHEMA temporal FROM PUBLIC;

-- Nor do the default privileges of whoever creates the extension.
DO $$
DECLARE
	favoured regrole;
BEGIN
	FOR favoured IN
		SELECT DISTINCT a.grantee
		FROM (SELECT nspacl AS acl FROM pg_namespace WHERE nspname = 'temporal'
			UNION ALL SELECT relacl FROM pg_class WHERE relnamespace = 'temporal'::regnamespace
			UNION ALL SELECT proacl FROM pg_proc WHERE pronamespace = 'temporal'::regnamespace) o,
			aclexplode(o.acl) a
		WHERE a.grantee NOT IN (0, current_user::regrole::oid)
	LOOP
		EXECUTE format('REVOKE ALL ON SCHEMA temporal FROM %s', favoured);
		EXECUTE format('REVOKE ALL ON ALL TABLES IN SCHEMA temporal FROM %s', favoured);
		EXECUTE format('REVOKE ALL ON ALL ROUTINES IN SCHEMA temporal FROM %s', favoured);
	END LOOP;
END
$$;

DO $$
DECLARE
	readable name;
BEGIN
	FOREACH readable IN ARRAY ARRAY['search_attribute', 'current_execution', 'execution',
		'execution_state', 'pending_activity', 'pending_timer', 'pending_external',
		'buffered_event', 'timer', 'outbox', 'registration']
	LOOP
		EXECUTE format('ALTER TABLE temporal.%I ENABLE ROW LEVEL SECURITY', readable);
		EXECUTE format('CREATE POLICY readers ON temporal.%I FOR SELECT'
			' USING (namespace_id = ANY ((SELECT temporal.readable_namespaces())::uuid[]))', readable);
	END LOOP;
END
$$;
-- The rows that are written most often do not name the default namespace.
DO $$
DECLARE
	readable name;
BEGIN
	FOREACH readable IN ARRAY ARRAY['history', 'task']
	LOOP
		EXECUTE format('ALTER TABLE temporal.%I ENABLE ROW LEVEL SECURITY', readable);
		EXECUTE format('CREATE POLICY readers ON temporal.%I FOR SELECT'
			' USING (coalesce(namespace_id, ''64656661-756c-8474-8000-000000000001'')'
			' = ANY ((SELECT temporal.readable_namespaces())::uuid[]))', readable);
	END LOOP;
END
$$;
ALTER TABLE temporal.namespace ENABLE ROW LEVEL SECURITY;
CREATE POLICY readers ON temporal.namespace FOR SELECT
	USING (id = ANY ((SELECT temporal.readable_namespaces())::uuid[]));
ALTER TABLE temporal.signal_request ENABLE ROW LEVEL SECURITY;
ALTER TABLE temporal.access ENABLE ROW LEVEL SECURITY;
ALTER TABLE temporal.credential ENABLE ROW LEVEL SECURITY;
ALTER TABLE temporal.instance ENABLE ROW LEVEL SECURITY;
