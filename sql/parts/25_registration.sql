-- Functions of the database that are workflows and activities.

CREATE TABLE temporal.registration (
	namespace_id uuid,
	kind smallint,
	name text COLLATE "C",
	task_queue text COLLATE "C" NOT NULL,
	role_name name NOT NULL,
	function_schema name NOT NULL,
	function_name name NOT NULL,
	argument_types text[] NOT NULL,
	transactional boolean NOT NULL,
	direct_sql boolean NOT NULL,
	options bytea NOT NULL,
	PRIMARY KEY (namespace_id, kind, name)
);
CREATE INDEX registration_queue ON temporal.registration (namespace_id, kind, task_queue);
COMMENT ON TABLE temporal.registration IS 'Functions registered as workflows and activities; names and not OIDs, so that dumps and pg_upgrade keep them.';
COMMENT ON COLUMN temporal.registration.namespace_id IS 'Namespace';
COMMENT ON COLUMN temporal.registration.kind IS 'TaskQueueType of its tasks: 1 workflow, 2 activity';
COMMENT ON COLUMN temporal.registration.name IS 'Workflow or activity type';
COMMENT ON COLUMN temporal.registration.task_queue IS 'Task queue that it is run from; all registrations of a queue and kind belong to one role';
COMMENT ON COLUMN temporal.registration.role_name IS 'Role that registered the function, owns it, and runs it';
COMMENT ON COLUMN temporal.registration.function_schema IS 'Schema of the function';
COMMENT ON COLUMN temporal.registration.function_name IS 'Name of the function';
COMMENT ON COLUMN temporal.registration.argument_types IS 'Types of its arguments, qualified';
COMMENT ON COLUMN temporal.registration.transactional IS 'Of an activity: claim, work and completion are one transaction';
COMMENT ON COLUMN temporal.registration.direct_sql IS 'Of a workflow: its body may write';
COMMENT ON COLUMN temporal.registration.options IS 'Of an activity, what a call of it does not say: a protobuf ActivityOptions message';
