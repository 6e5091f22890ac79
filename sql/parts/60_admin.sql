-- What administrators call.

CREATE FUNCTION temporal.grant_usage(
	role_name name,
	namespace text,
	access_right text,
	task_queue text DEFAULT NULL)
RETURNS void
LANGUAGE c VOLATILE
AS 'MODULE_PATHNAME', 'temporal_grant_usage';
COMMENT ON FUNCTION temporal.grant_usage IS
'Gives a role the right client, worker (of one task queue or all), viewer or admin in a namespace, "*" for all.';

CREATE FUNCTION temporal.revoke_usage(
	role_name name,
	namespace text,
	access_right text DEFAULT NULL,
	task_queue text DEFAULT NULL)
RETURNS void
LANGUAGE c VOLATILE
AS 'MODULE_PATHNAME', 'temporal_revoke_usage';
COMMENT ON FUNCTION temporal.revoke_usage IS
'Takes back what grant_usage() gave: one right, or all in the namespace.';

CREATE FUNCTION temporal.create_api_key(
	role_name name,
	description text DEFAULT NULL,
	valid_for interval DEFAULT NULL)
RETURNS text
LANGUAGE plpgsql VOLATILE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	-- Two of them have 244 random bits.
	api_key text := 'temporal_' || replace(concat(gen_random_uuid(), gen_random_uuid()), '-', '');
BEGIN
	IF to_regrole(quote_ident(role_name)) IS NULL THEN
		RAISE EXCEPTION USING ERRCODE = 'undefined_object', MESSAGE = format('role "%s" does not exist', role_name);
	END IF;
	INSERT INTO temporal.credential
	VALUES (sha256(convert_to(api_key, 'UTF8')), role_name, description, clock_timestamp(),
		clock_timestamp() + valid_for);
	RETURN api_key;
END
$$;
COMMENT ON FUNCTION temporal.create_api_key IS
'Makes a key with which gRPC callers act as a role, and shows it this once. For the owner of the extension only.';

CREATE FUNCTION temporal.revoke_api_key(key_id text)
RETURNS boolean
LANGUAGE plpgsql VOLATILE
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	DELETE FROM temporal.credential c WHERE left(encode(c.key_hash, 'hex'), 16) = key_id;
	RETURN FOUND;
END
$$;
COMMENT ON FUNCTION temporal.revoke_api_key IS
'Makes a key of temporal.api_keys() useless, at once; false if there is none. For the owner of the extension only.';

CREATE FUNCTION temporal.api_keys(
	OUT key_id text, OUT role_name name, OUT description text, OUT created_at timestamptz,
	OUT expires_at timestamptz)
RETURNS SETOF record
LANGUAGE sql STABLE
BEGIN ATOMIC
	SELECT pg_catalog.left(pg_catalog.encode(c.key_hash, 'hex'), 16), c.role_name, c.description,
		c.created_at, c.expires_at
	FROM temporal.credential c
	ORDER BY c.created_at;
END;
COMMENT ON FUNCTION temporal.api_keys IS
'The keys with which gRPC callers act as roles. For the owner of the extension only.';

CREATE FUNCTION temporal.readable_namespaces()
RETURNS uuid[]
LANGUAGE c STABLE
AS 'MODULE_PATHNAME', 'temporal_readable_namespaces';
COMMENT ON FUNCTION temporal.readable_namespaces() IS
'Ids of the namespaces whose workflows the current role may read: what row security asks.';

CREATE FUNCTION temporal.adopt()
RETURNS void
LANGUAGE c VOLATILE
AS 'MODULE_PATHNAME', 'temporal_adopt';
COMMENT ON FUNCTION temporal.adopt() IS
'Says that this restored or cloned database is the one that acts from now on.';

CREATE FUNCTION temporal.adopted()
RETURNS boolean
LANGUAGE c STABLE
AS 'MODULE_PATHNAME', 'temporal_adopted';
COMMENT ON FUNCTION temporal.adopted() IS
'False in a restored or cloned database until adopt() is called.';

CREATE FUNCTION temporal.preloaded()
RETURNS boolean
LANGUAGE c STABLE
AS 'MODULE_PATHNAME', 'temporal_preloaded';
COMMENT ON FUNCTION temporal.preloaded() IS
'Whether the library is in shared_preload_libraries, so that work is done in the background.';

CREATE FUNCTION temporal.library_version()
RETURNS text
LANGUAGE c IMMUTABLE
AS 'MODULE_PATHNAME', 'temporal_library_version';
COMMENT ON FUNCTION temporal.library_version() IS
'Version of the loaded library.';

CREATE PROCEDURE temporal.run(
	max_time interval DEFAULT '50 seconds',
	batch_size integer DEFAULT 1000,
	wait boolean DEFAULT false)
LANGUAGE c
AS 'MODULE_PATHNAME', 'temporal_run';
COMMENT ON PROCEDURE temporal.run IS
'Does due work, the functions of the current role included, in batches, with a commit after each, until nothing is due or, if it is to wait for more, until max_time has passed: for a pg_cron job where the library is not preloaded.';

CREATE FUNCTION temporal.register_namespace(
	name text,
	retention interval DEFAULT '3 days',
	description text DEFAULT NULL,
	owner_email text DEFAULT NULL)
RETURNS void
LANGUAGE sql VOLATILE
BEGIN ATOMIC
	SELECT temporal.rpc('RegisterNamespace', pg_catalog.jsonb_build_object(
		'namespace', name,
		'workflowExecutionRetentionPeriod', temporal.duration(retention),
		'description', description,
		'ownerEmail', owner_email));
	SELECT;
END;
COMMENT ON FUNCTION temporal.register_namespace IS
'Creates a namespace; closed workflows in it are kept as long as "retention" says.';

CREATE FUNCTION temporal.update_namespace(
	name text,
	retention interval DEFAULT NULL,
	description text DEFAULT NULL,
	owner_email text DEFAULT NULL)
RETURNS void
LANGUAGE sql VOLATILE
BEGIN ATOMIC
	SELECT temporal.rpc('UpdateNamespace', pg_catalog.jsonb_build_object(
		'namespace', name,
		'updateInfo', pg_catalog.jsonb_build_object('description', description,
			'ownerEmail', owner_email),
		'config', pg_catalog.jsonb_build_object(
			'workflowExecutionRetentionTtl', temporal.duration(retention))));
	SELECT;
END;
COMMENT ON FUNCTION temporal.update_namespace IS
'Changes a namespace; what is NULL stays as it is.';

CREATE FUNCTION temporal.add_search_attribute(
	name text,
	type text,
	namespace text DEFAULT 'default')
RETURNS void
LANGUAGE sql VOLATILE
BEGIN ATOMIC
	SELECT temporal.rpc('AddSearchAttributes', pg_catalog.jsonb_build_object(
		'namespace', namespace,
		'searchAttributes', pg_catalog.jsonb_build_object(name, type)));
	SELECT;
END;
COMMENT ON FUNCTION temporal.add_search_attribute IS
'Defines a search attribute: Text, Keyword, Int, Double, Bool, Datetime or KeywordList.';

CREATE FUNCTION temporal.remove_search_attribute(
	name text,
	namespace text DEFAULT 'default')
RETURNS void
LANGUAGE sql VOLATILE
BEGIN ATOMIC
	SELECT temporal.rpc('RemoveSearchAttributes', pg_catalog.jsonb_build_object(
		'namespace', namespace,
		'searchAttributes', pg_catalog.jsonb_build_array(name)));
	SELECT;
END;
COMMENT ON FUNCTION temporal.remove_search_attribute IS
'Takes back a search attribute; values that workflows have set stay in their history.';

CREATE FUNCTION temporal.pause_activity(
	workflow_id text,
	activity_id text,
	reason text DEFAULT NULL,
	run_id uuid DEFAULT NULL,
	namespace text DEFAULT 'default')
RETURNS void
LANGUAGE sql VOLATILE
BEGIN ATOMIC
	SELECT temporal.rpc('PauseActivity', pg_catalog.jsonb_build_object(
		'namespace', namespace,
		'execution', pg_catalog.jsonb_build_object('workflowId', workflow_id, 'runId', run_id),
		'id', activity_id,
		'reason', reason,
		'identity', SESSION_USER::pg_catalog.text));
	SELECT;
END;
COMMENT ON FUNCTION temporal.pause_activity IS
'Keeps an activity from being tried again until it is unpaused.';

CREATE FUNCTION temporal.unpause_activity(
	workflow_id text,
	activity_id text,
	reset_attempts boolean DEFAULT false,
	reset_heartbeat boolean DEFAULT false,
	run_id uuid DEFAULT NULL,
	namespace text DEFAULT 'default')
RETURNS void
LANGUAGE sql VOLATILE
BEGIN ATOMIC
	SELECT temporal.rpc('UnpauseActivity', pg_catalog.jsonb_build_object(
		'namespace', namespace,
		'execution', pg_catalog.jsonb_build_object('workflowId', workflow_id, 'runId', run_id),
		'id', activity_id,
		'resetAttempts', reset_attempts,
		'resetHeartbeat', reset_heartbeat,
		'identity', SESSION_USER::pg_catalog.text));
	SELECT;
END;
COMMENT ON FUNCTION temporal.unpause_activity IS
'Lets a paused activity be tried again, at once.';

CREATE FUNCTION temporal.reset_activity(
	workflow_id text,
	activity_id text,
	reset_heartbeat boolean DEFAULT false,
	keep_paused boolean DEFAULT false,
	restore_options boolean DEFAULT false,
	run_id uuid DEFAULT NULL,
	namespace text DEFAULT 'default')
RETURNS void
LANGUAGE sql VOLATILE
BEGIN ATOMIC
	SELECT temporal.rpc('ResetActivity', pg_catalog.jsonb_build_object(
		'namespace', namespace,
		'execution', pg_catalog.jsonb_build_object('workflowId', workflow_id, 'runId', run_id),
		'id', activity_id,
		'resetHeartbeat', reset_heartbeat,
		'keepPaused', keep_paused,
		'restoreOriginalOptions', restore_options,
		'identity', SESSION_USER::pg_catalog.text));
	SELECT;
END;
COMMENT ON FUNCTION temporal.reset_activity IS
'Makes the next attempt of an activity its first again.';
