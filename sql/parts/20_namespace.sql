-- Namespaces and who may do what in them.

CREATE TABLE temporal.namespace (
	id uuid PRIMARY KEY,
	name text COLLATE "C" NOT NULL UNIQUE,
	state smallint NOT NULL DEFAULT 1,
	retention bigint NOT NULL,
	created_at timestamptz NOT NULL DEFAULT pg_catalog.clock_timestamp(),
	info bytea NOT NULL DEFAULT ''
);
COMMENT ON TABLE temporal.namespace IS 'Namespaces that were registered or changed; "default" exists without a row.';
COMMENT ON COLUMN temporal.namespace.id IS 'Identifier used as a key everywhere, also in the API';
COMMENT ON COLUMN temporal.namespace.name IS 'Name used by clients';
COMMENT ON COLUMN temporal.namespace.state IS 'NamespaceState: 1 registered, 2 deprecated, 3 deleted';
COMMENT ON COLUMN temporal.namespace.retention IS 'Microseconds a closed run is kept';
COMMENT ON COLUMN temporal.namespace.created_at IS 'When the row was written';
COMMENT ON COLUMN temporal.namespace.info IS 'Description, owner and data: a protobuf UpdateNamespaceInfo message';

CREATE TABLE temporal.search_attribute (
	namespace_id uuid,
	name text COLLATE "C",
	type smallint NOT NULL,
	PRIMARY KEY (namespace_id, name)
);
COMMENT ON TABLE temporal.search_attribute IS 'Custom search attributes of a namespace.';
COMMENT ON COLUMN temporal.search_attribute.namespace_id IS 'Namespace';
COMMENT ON COLUMN temporal.search_attribute.name IS 'Name as clients write it';
COMMENT ON COLUMN temporal.search_attribute.type IS 'IndexedValueType: 1 Text, 2 Keyword, 3 Int, 4 Double, 5 Bool, 6 Datetime, 7 KeywordList';

CREATE TABLE temporal.access (
	role_name name NOT NULL,
	namespace_id uuid NOT NULL,
	access_right text COLLATE "C" NOT NULL CHECK (access_right IN ('client', 'worker', 'viewer', 'admin')),
	task_queue text COLLATE "C" NOT NULL DEFAULT '',
	PRIMARY KEY (namespace_id, role_name, access_right, task_queue)
);
COMMENT ON TABLE temporal.access IS 'Rights of database roles, written by temporal.grant_usage().';
COMMENT ON COLUMN temporal.access.role_name IS 'Role that has the right, and so its members; a name, because dumps do not keep OIDs';
COMMENT ON COLUMN temporal.access.namespace_id IS 'Namespace the right is for';
COMMENT ON COLUMN temporal.access.access_right IS 'client, worker, viewer or admin';
COMMENT ON COLUMN temporal.access.task_queue IS 'For workers: the one task queue allowed; empty for all';

CREATE TABLE temporal.credential (
	key_hash bytea NOT NULL PRIMARY KEY,
	role_name name NOT NULL,
	description text COLLATE "C",
	created_at timestamptz NOT NULL,
	expires_at timestamptz
);
COMMENT ON TABLE temporal.credential IS 'API keys of gRPC callers, written by temporal.create_api_key().';
COMMENT ON COLUMN temporal.credential.key_hash IS 'SHA-256 of the key, which is kept nowhere';
COMMENT ON COLUMN temporal.credential.role_name IS 'Role that its callers act as; a name, because dumps do not keep OIDs';
COMMENT ON COLUMN temporal.credential.description IS 'What it is for';
COMMENT ON COLUMN temporal.credential.created_at IS 'When it was made';
COMMENT ON COLUMN temporal.credential.expires_at IS 'When it ends; NULL: never';

-- Not unique on purpose: a restore adds the row of the dumped database to the
-- one written here, and rows that disagree are what stops the copy.
CREATE TABLE temporal.instance (
	system_identifier bigint NOT NULL,
	database_oid oid NOT NULL
);
COMMENT ON TABLE temporal.instance IS 'The server and database that may act on the stored workflows; see temporal.adopt().';
COMMENT ON COLUMN temporal.instance.system_identifier IS 'System identifier of the server';
COMMENT ON COLUMN temporal.instance.database_oid IS 'OID of the database';
INSERT INTO temporal.instance
	SELECT c.system_identifier, d.oid
	FROM pg_catalog.pg_control_system() c, pg_catalog.pg_database d
	WHERE d.datname = pg_catalog.current_database();
-- What is restored must not be acted on before the last of it is there, this
-- table among it, and dumps restored in parallel come in any order.  What
-- pg_dump makes begins with this setting.
INSERT INTO temporal.instance
	SELECT 0, 0 WHERE pg_catalog.current_setting('row_security') = 'off';
