-- What commands do in corners that no scenario visits.
BEGIN;
\ir include/worker.sql
SELECT plan(5);

-- A command that closes the workflow without its attributes, while there is a
-- signal that the worker has not seen: the signal comes first.
SELECT t.start('unseen');
SELECT t.poll('unseen') AS poll \gset
SELECT t.signal('unseen');
SELECT is(t.error_of_complete(:'poll', '[{"command_type": "COMMAND_TYPE_COMPLETE_WORKFLOW_EXECUTION"}]'),
	'TW303 UnhandledCommand', 'unseen events are told first');
SELECT t.event_has('unseen', 4, '{"cause": "WORKFLOW_TASK_FAILED_CAUSE_UNHANDLED_COMMAND"}', 'and recorded');

-- An empty text is a value; null removes one.
SELECT t.run('memo', t.modify_properties('{"a": 1, "b": 2}'));
SELECT t.signal('memo');
SELECT t.complete(t.poll('memo'), '[{"command_type": "COMMAND_TYPE_MODIFY_WORKFLOW_PROPERTIES",
	"modify_workflow_properties_command_attributes": {"upserted_memo": {"fields": {
		"a": {"metadata": {"encoding": "YmluYXJ5L3BsYWlu"}, "data": ""},
		"b": {"metadata": {"encoding": "YmluYXJ5L251bGw="}}}}}}]');
SELECT is(array_agg(k), '{a}', 'an empty value stays, a nil payload removes')
	FROM jsonb_object_keys(t.describe('memo') #> '{workflowExecutionInfo,memo,fields}') AS k;

-- A later attempt becomes a first one when something has happened before it
-- starts; it is scheduled as it starts then.
SELECT t.start('converted');
SELECT t.fail(t.poll('converted'));
SELECT t.signal('converted');
SELECT t.move_clock('30 s');
SELECT t.poll('converted') IS NOT NULL AS polled \gset
SELECT t.history_is('converted', '1 WF_STARTED, 2 WFT_SCHED, 3 WFT_START, 4 WFT_FAILED, 5 WF_SIGNALED, 6 WFT_SCHED, 7 WFT_START',
	'a converted attempt has events');
SELECT is(max(event_time) FILTER (WHERE event_id = 6), max(event_time) FILTER (WHERE event_id = 7), 'of the same time')
	FROM temporal.history('converted');

SELECT * FROM finish();
ROLLBACK;
