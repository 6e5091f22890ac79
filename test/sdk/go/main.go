// The Go SDK as it comes from the proxy: client, worker, replayer.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"sync"
	"time"

	enums "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/operatorservice/v1"
	"go.temporal.io/api/serviceerror"
	"go.temporal.io/api/taskqueue/v1"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/converter"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/worker"
	"go.temporal.io/sdk/workflow"
)

var (
	c      client.Client
	serial int
)

type quiet struct{}

func (quiet) Debug(string, ...any) {}
func (quiet) Info(string, ...any)  {}
func (quiet) Warn(string, ...any)  {}
func (quiet) Error(string, ...any) {}

func dial(namespace string) client.Client {
	return must(client.Dial(client.Options{
		HostPort: os.Getenv("TEMPORAL_ADDRESS"), Namespace: namespace, Logger: quiet{},
	}))
}

func unique(prefix string) string {
	serial++
	return fmt.Sprintf("go-%s-%d-%d", prefix, time.Now().UnixNano(), serial)
}

func register(w worker.Registry) {
	for _, function := range []any{
		Hello, Chain, Fanout, Retries, Failures, Timeouts, HeartbeatDetails, Cancelled, Timers,
		Signals, Locals, Deterministic, Attributes, Later, Endless,
	} {
		w.RegisterWorkflow(function)
	}
	for _, activity := range []any{
		Greet, FailUntil, FailForGood, SleepLong, BeatUntilCancelled, RememberHeartbeat, CompleteLater,
	} {
		w.RegisterActivity(activity)
	}
}

// startWorker starts one on a queue; a new queue if the name is empty.
func startWorker(c client.Client, queue string) (string, worker.Worker) {
	if queue == "" {
		queue = unique("queue")
	}
	w := worker.New(c, queue, worker.Options{})
	register(w)
	check(w.Start() == nil, "the worker does not start")
	return queue, w
}

func start(ctx context.Context, queue string, function any, arguments ...any) client.WorkflowRun {
	return must(c.ExecuteWorkflow(ctx, client.StartWorkflowOptions{ID: unique("run"), TaskQueue: queue},
		function, arguments...))
}

func result[T any](ctx context.Context, run client.WorkflowRun) (value T) {
	err := run.Get(ctx, &value)
	check(err == nil, "%v", err)
	return
}

func execute[T any](ctx context.Context, workflow any, arguments ...any) T {
	queue, w := startWorker(c, "")
	defer w.Stop()
	return result[T](ctx, start(ctx, queue, workflow, arguments...))
}

func failure(ctx context.Context, workflow any, arguments ...any) error {
	queue, w := startWorker(c, "")
	defer w.Stop()
	err := start(ctx, queue, workflow, arguments...).Get(ctx, nil)
	check(err != nil, "no failure")
	return err
}

func isA[T error](err error) T {
	var target T
	check(errors.As(err, &target), "%T is not a %T: %v", err, target, err)
	return target
}

func hello(ctx context.Context) {
	check(execute[string](ctx, Hello, "World") == "Hello, World!", "wrong result")
}

func chain(ctx context.Context) {
	check(execute[int](ctx, Chain, 8) == 8, "wrong result")
}

func withoutCache(ctx context.Context) {
	worker.SetStickyWorkflowCacheSize(0)
	defer worker.SetStickyWorkflowCacheSize(10000)
	check(execute[int](ctx, Chain, 5) == 5, "wrong result")
}

func fanout(ctx context.Context) {
	check(execute[int](ctx, Fanout, 50) == 50, "wrong result")
}

func retries(ctx context.Context) {
	check(execute[int32](ctx, Retries, int32(4)) == 4, "wrong attempt")
}

func failures(ctx context.Context) {
	err := isA[*temporal.ApplicationError](failure(ctx, Failures))
	var detail int
	check(err.Details(&detail) == nil && detail == 42, "wrong details")
	check(err.Type() == "Never" && err.Message() == "never", "wrong failure: %v", err)
}

func timeouts(ctx context.Context) {
	err := isA[*temporal.TimeoutError](failure(ctx, Timeouts))
	check(err.TimeoutType() == enums.TIMEOUT_TYPE_START_TO_CLOSE, "wrong type: %v", err)
}

func heartbeatDetails(ctx context.Context) {
	check(execute[string](ctx, HeartbeatDetails) == "from the first attempt", "wrong details")
}

func cancellation(ctx context.Context) {
	queue, w := startWorker(c, "")
	defer w.Stop()
	run := start(ctx, queue, Cancelled)
	<-beating
	check(c.CancelWorkflow(ctx, run.GetID(), "") == nil, "cancel failed")
	isA[*temporal.CanceledError](run.Get(ctx, nil))
	<-stopped
}

func timers(ctx context.Context) {
	order := execute[[]string](ctx, Timers)
	check(fmt.Sprint(order) == "[early late]", "wrong order %v", order)
}

func signals(ctx context.Context) {
	queue, w := startWorker(c, "")
	defer w.Stop()
	run := start(ctx, queue, Signals, 20)
	want := []string{}
	for i := range 20 {
		want = append(want, fmt.Sprint(i))
		check(c.SignalWorkflow(ctx, run.GetID(), "", "add", fmt.Sprint(i)) == nil, "signal failed")
	}
	got := result[[]string](ctx, run)
	check(fmt.Sprint(got) == fmt.Sprint(want), "wrong order %v", got)
}

func signalWithStart(ctx context.Context) {
	queue, w := startWorker(c, "")
	defer w.Stop()
	options := client.StartWorkflowOptions{ID: unique("run"), TaskQueue: queue}
	first := must(c.SignalWithStartWorkflow(ctx, options.ID, "add", "one", options, Signals, 2))
	second := must(c.SignalWithStartWorkflow(ctx, options.ID, "add", "two", options, Signals, 2))
	check(first.GetRunID() == second.GetRunID(), "two runs")
	check(fmt.Sprint(result[[]string](ctx, first)) == "[one two]", "wrong signals")
}

func termination(ctx context.Context) {
	queue, w := startWorker(c, "")
	defer w.Stop()
	run := start(ctx, queue, Endless)
	check(c.TerminateWorkflow(ctx, run.GetID(), "", "because") == nil, "terminate failed")
	isA[*temporal.TerminatedError](run.Get(ctx, nil))
	isA[*serviceerror.NotFound](c.TerminateWorkflow(ctx, run.GetID(), "", "again"))
}

func runTimeout(ctx context.Context) {
	queue, w := startWorker(c, "")
	defer w.Stop()
	run := must(c.ExecuteWorkflow(ctx, client.StartWorkflowOptions{
		ID: unique("run"), TaskQueue: queue, WorkflowRunTimeout: time.Second,
	}, Endless))
	isA[*temporal.TimeoutError](run.Get(ctx, nil))
}

func locals(ctx context.Context) {
	check(execute[int](ctx, Locals) == 3, "wrong attempt")
}

func deterministic(ctx context.Context) {
	worker.SetStickyWorkflowCacheSize(0)
	defer worker.SetStickyWorkflowCacheSize(10000)
	sideEffects = 0
	check(execute[int](ctx, Deterministic) == 2, "wrong version")
	check(sideEffects == 1, "%d side effects", sideEffects)
}

func attributes(ctx context.Context) {
	_, err := c.OperatorService().AddSearchAttributes(ctx, &operatorservice.AddSearchAttributesRequest{
		Namespace:        "default",
		SearchAttributes: map[string]enums.IndexedValueType{"GoColour": enums.INDEXED_VALUE_TYPE_KEYWORD},
	})
	check(err == nil, "%v", err)
	queue, w := startWorker(c, "")
	defer w.Stop()
	run := must(c.ExecuteWorkflow(ctx, client.StartWorkflowOptions{
		ID: unique("run"), TaskQueue: queue, Memo: map[string]any{"mood": "bad", "size": 3},
		TypedSearchAttributes: temporal.NewSearchAttributes(colour.ValueSet("red")),
	}, Attributes))
	check(fmt.Sprint(result[[]string](ctx, run)) == "[red green]", "wrong attributes")
	description := must(c.DescribeWorkflowExecution(ctx, run.GetID(), "")).WorkflowExecutionInfo
	var mood string
	check(converter.GetDefaultDataConverter().FromPayload(description.Memo.Fields["mood"], &mood) == nil,
		"no memo")
	check(mood == "good" && len(description.Memo.Fields) == 2, "wrong memo")
}

func asyncCompletion(ctx context.Context) {
	queue, w := startWorker(c, "")
	defer w.Stop()
	run := start(ctx, queue, Later)
	check(c.CompleteActivity(ctx, <-asyncTokens, "done", nil) == nil, "completion failed")
	check(result[string](ctx, run) == "done", "wrong result")
}

func anotherWorker(ctx context.Context) {
	queue, w := startWorker(c, "")
	run := start(ctx, queue, Signals, 2)
	check(c.SignalWorkflow(ctx, run.GetID(), "", "add", "one") == nil, "signal failed")
	time.Sleep(300 * time.Millisecond)
	w.Stop()
	check(c.SignalWorkflow(ctx, run.GetID(), "", "add", "two") == nil, "signal failed")
	_, w = startWorker(c, queue)
	defer w.Stop()
	check(fmt.Sprint(result[[]string](ctx, run)) == "[one two]", "wrong signals")
}

func twoWorkers(ctx context.Context) {
	other := dial("default")
	defer other.Close()
	queue, w := startWorker(c, "")
	defer w.Stop()
	_, w2 := startWorker(other, queue)
	defer w2.Stop()
	var runs []client.WorkflowRun
	for range 30 {
		runs = append(runs, start(ctx, queue, Chain, 3))
	}
	for _, run := range runs {
		check(result[int](ctx, run) == 3, "wrong result")
	}
}

func eagerStart(ctx context.Context) {
	queue, w := startWorker(c, "")
	defer w.Stop()
	run := must(c.ExecuteWorkflow(ctx, client.StartWorkflowOptions{
		ID: unique("run"), TaskQueue: queue, EnableEagerStart: true,
	}, Hello, "you"))
	check(result[string](ctx, run) == "Hello, you!", "wrong result")
	first := must(c.GetWorkflowHistory(ctx, run.GetID(), "", false, enums.HISTORY_EVENT_FILTER_TYPE_ALL_EVENT).Next())
	check(first.GetWorkflowExecutionStartedEventAttributes().EagerExecutionAccepted, "not eager")
}

func taskQueue(ctx context.Context) {
	queue, w := startWorker(c, "")
	defer w.Stop()
	check(result[string](ctx, start(ctx, queue, Hello, "x")) != "", "no result")
	answer := must(c.WorkflowService().DescribeTaskQueue(ctx, &workflowservice.DescribeTaskQueueRequest{
		Namespace: "default", TaskQueue: &taskqueue.TaskQueue{Name: queue}, ReportStats: true,
	}))
	check(len(answer.Pollers) == 1 && answer.Stats.ApproximateBacklogCount == 0, "wrong: %v", answer)
}

func alreadyStarted(ctx context.Context) {
	queue := unique("nobody")
	run := start(ctx, queue, Hello, "x")
	_, err := c.ExecuteWorkflow(ctx, client.StartWorkflowOptions{
		ID: run.GetID(), TaskQueue: queue, WorkflowExecutionErrorWhenAlreadyStarted: true,
	}, Hello, "x")
	check(isA[*serviceerror.WorkflowExecutionAlreadyStarted](err).RunId == run.GetRunID(), "wrong run")
	again := must(c.ExecuteWorkflow(ctx, client.StartWorkflowOptions{ID: run.GetID(), TaskQueue: queue}, Hello, "x"))
	check(again.GetRunID() == run.GetRunID(), "another run")
}

func clientErrors(ctx context.Context) {
	isA[*serviceerror.NotFound](c.SignalWorkflow(ctx, "no such workflow", "", "x", nil))
	isA[*serviceerror.NotFound](c.CancelWorkflow(ctx, "no such workflow", ""))
	_, err := c.DescribeWorkflowExecution(ctx, "x", "not a run id")
	isA[*serviceerror.InvalidArgument](err)
	_, err = c.WorkflowService().DescribeNamespace(ctx, &workflowservice.DescribeNamespaceRequest{Namespace: "nowhere"})
	check(isA[*serviceerror.NamespaceNotFound](err).Namespace == "nowhere", "wrong namespace")
	_, err = c.WorkflowService().RegisterNamespace(ctx, &workflowservice.RegisterNamespaceRequest{Namespace: "x"})
	isA[*serviceerror.InvalidArgument](err)
	isA[*serviceerror.NotFound](c.CompleteActivityByID(ctx, "default", "no such workflow", "", "a", nil, nil))
}

func unimplemented(ctx context.Context) {
	_, err := c.QueryWorkflow(ctx, "x", "", "y")
	check(isA[*serviceerror.Unimplemented](err).Message ==
		"unknown method QueryWorkflow for service temporal.api.workflowservice.v1.WorkflowService", "wrong text: %v", err)
	_, err = c.ListWorkflow(ctx, &workflowservice.ListWorkflowExecutionsRequest{})
	isA[*serviceerror.Unimplemented](err)
}

func unknownNamespace(ctx context.Context) {
	nowhere := dial("nowhere")
	defer nowhere.Close()
	err := worker.New(nowhere, "q", worker.Options{}).Start()
	isA[*serviceerror.NamespaceNotFound](err)
}

func replay(ctx context.Context) {
	queue, w := startWorker(c, "")
	defer w.Stop()
	replayer := worker.NewWorkflowReplayer()
	for _, function := range []any{Chain, Fanout, Retries, Timers, Locals, Deterministic} {
		replayer.RegisterWorkflow(function)
	}
	for _, run := range []client.WorkflowRun{
		start(ctx, queue, Chain, 4), start(ctx, queue, Fanout, 10), start(ctx, queue, Retries, int32(3)),
		start(ctx, queue, Timers), start(ctx, queue, Locals), start(ctx, queue, Deterministic),
	} {
		check(run.Get(ctx, nil) == nil, "a run failed")
		err := replayer.ReplayWorkflowExecution(ctx, c.WorkflowService(), quiet{}, "default",
			workflow.Execution{ID: run.GetID(), RunID: run.GetRunID()})
		check(err == nil, "%v", err)
	}
}

func health(ctx context.Context) {
	_, err := c.CheckHealth(ctx, &client.CheckHealthRequest{})
	check(err == nil, "%v", err)
}

func gracefulStop(ctx context.Context) {
	_, w := startWorker(c, "")
	began := time.Now()
	var wait sync.WaitGroup
	wait.Go(w.Stop)
	wait.Wait()
	check(time.Since(began) < 20*time.Second, "took %v", time.Since(began))
}

func main() {
	c = dial("default")
	defer c.Close()
	if runAll([]test{
		{"the server is healthy", health},
		{"a workflow says hello", hello},
		{"a worker stops at once when idle", gracefulStop},
		{"activities follow each other from the cache", chain},
		{"every step is replayed without a cache", withoutCache},
		{"fifty activities run side by side", fanout},
		{"an activity is retried", retries},
		{"a failure arrives with type and details", failures},
		{"an activity times out", timeouts},
		{"heartbeat details reach the next attempt", heartbeatDetails},
		{"cancellation reaches a heartbeating activity", cancellation},
		{"timers fire in order and can be cancelled", timers},
		{"signals arrive in order", signals},
		{"a signal starts a workflow", signalWithStart},
		{"a workflow is terminated", termination},
		{"a run times out", runTimeout},
		{"local activities run", locals},
		{"side effects and versions survive replay", deterministic},
		{"search attributes and memo are kept", attributes},
		{"an activity is completed from outside", asyncCompletion},
		{"a run goes on after its worker", anotherWorker},
		{"two workers share a queue", twoWorkers},
		{"a workflow starts eagerly", eagerStart},
		{"pollers and backlog are described", taskQueue},
		{"starting twice is an error with the run", alreadyStarted},
		{"client errors have their type", clientErrors},
		{"what is missing says so", unimplemented},
		{"a worker of an unknown namespace does not start", unknownNamespace},
		{"the replayer accepts our histories", replay},
	}) > 0 {
		os.Exit(1)
	}
}
