import io.grpc.Status;
import io.grpc.StatusRuntimeException;
import io.temporal.api.common.v1.WorkflowExecution;
import io.temporal.api.workflowservice.v1.DescribeWorkflowExecutionRequest;
import io.temporal.api.workflowservice.v1.QueryWorkflowRequest;
import io.temporal.client.BatchRequest;
import io.temporal.client.WorkflowClient;
import io.temporal.client.WorkflowExecutionAlreadyStarted;
import io.temporal.client.WorkflowFailedException;
import io.temporal.client.WorkflowNotFoundException;
import io.temporal.client.WorkflowOptions;
import io.temporal.client.WorkflowStub;
import io.temporal.common.WorkflowExecutionHistory;
import io.temporal.failure.ApplicationFailure;
import io.temporal.failure.CanceledFailure;
import io.temporal.failure.TerminatedFailure;
import io.temporal.failure.TimeoutFailure;
import io.temporal.serviceclient.WorkflowServiceStubs;
import io.temporal.serviceclient.WorkflowServiceStubsOptions;
import io.temporal.testing.WorkflowReplayer;
import io.temporal.worker.WorkerFactory;
import io.temporal.worker.WorkerFactoryOptions;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.UUID;
import java.util.concurrent.Callable;
import java.util.concurrent.TimeUnit;

/** The Java SDK as it comes from Maven Central: client, worker, replayer. */
public final class Main {
  private static WorkflowServiceStubs service;
  private static WorkflowClient client;

  private Main() {}

  private interface Body {
    void run(String queue) throws Exception;
  }

  private static void check(boolean ok, Object what) {
    if (!ok) {
      throw new AssertionError("" + what);
    }
  }

  private static void equal(Object actual, Object expected) {
    check(expected.equals(actual), actual + " is not " + expected);
  }

  private static String unique(String prefix) {
    return "java-" + prefix + "-" + UUID.randomUUID();
  }

  private static void withWorker(String queue, int cache, Body body) throws Exception {
    WorkerFactory factory =
        WorkerFactory.newInstance(
            client, WorkerFactoryOptions.newBuilder().setWorkflowCacheSize(cache).build());
    io.temporal.worker.Worker worker = factory.newWorker(queue);
    worker.registerWorkflowImplementationTypes(
        Workflows.DoesImplementation.class, Workflows.SignalsImplementation.class);
    worker.registerActivitiesImplementations(new Activities.Implementation());
    factory.start();
    try {
      body.run(queue);
    } finally {
      factory.shutdownNow();
      factory.awaitTermination(20, TimeUnit.SECONDS);
      check(factory.isTerminated(), "the worker does not stop");
    }
  }

  private static void withWorker(Body body) throws Exception {
    withWorker(unique("queue"), 100, body);
  }

  private static WorkflowOptions options(String queue, String id) {
    return WorkflowOptions.newBuilder().setTaskQueue(queue).setWorkflowId(id).build();
  }

  private static WorkflowStub start(String queue, String what, int count) {
    WorkflowStub stub = client.newUntypedWorkflowStub("Does", options(queue, unique("run")));
    stub.start(what, count);
    return stub;
  }

  private static void gives(String what, int count, String expected) throws Exception {
    withWorker(queue -> equal(start(queue, what, count).getResult(String.class), expected));
  }

  private static Throwable raises(Callable<?> call) {
    try {
      call.call();
    } catch (Throwable error) {
      return error;
    }
    throw new AssertionError("no error");
  }

  /** The failure at the bottom of a workflow's. */
  private static Throwable cause(WorkflowStub stub) {
    Throwable error = raises(() -> stub.getResult(String.class));
    check(error instanceof WorkflowFailedException, error);
    while (error.getCause() != null) {
      error = error.getCause();
    }
    return error;
  }

  private static void failure() throws Exception {
    withWorker(
        queue -> {
          ApplicationFailure error = (ApplicationFailure) cause(start(queue, "failure", 0));
          equal(error.getType(), "Never");
          equal(error.getOriginalMessage(), "never");
          equal(error.getDetails().get(Integer.class), 42);
        });
  }

  private static void cancellation() throws Exception {
    withWorker(
        queue -> {
          WorkflowStub stub = start(queue, "cancel", 0);
          Activities.BEATING.await();
          stub.cancel();
          check(cause(stub) instanceof CanceledFailure, "not cancelled");
        });
  }

  private static void termination() throws Exception {
    withWorker(
        queue -> {
          WorkflowStub stub = start(queue, "endless", 0);
          stub.terminate("because");
          check(cause(stub) instanceof TerminatedFailure, "not terminated");
        });
  }

  private static void signals() throws Exception {
    withWorker(
        queue -> {
          WorkflowStub stub = client.newUntypedWorkflowStub("Signals", options(queue, unique("run")));
          stub.start(20);
          List<String> sent = new ArrayList<>();
          for (int i = 0; i < 20; i++) {
            sent.add("" + i);
            stub.signal("add", "" + i);
          }
          equal(stub.getResult(List.class), sent);
        });
  }

  private static void signalWithStart() throws Exception {
    withWorker(
        queue -> {
          String id = unique("run");
          WorkflowStub stub = null;
          for (String text : List.of("one", "two")) {
            Workflows.Signals typed =
                client.newWorkflowStub(Workflows.Signals.class, options(queue, id));
            BatchRequest batch = client.newSignalWithStartRequest();
            batch.add(typed::run, 2);
            batch.add(typed::add, text);
            client.signalWithStart(batch);
            stub = WorkflowStub.fromTyped(typed);
          }
          equal(stub.getResult(List.class), List.of("one", "two"));
        });
  }

  private static void asyncCompletion() throws Exception {
    withWorker(
        queue -> {
          WorkflowStub stub = start(queue, "later", 0);
          client.newActivityCompletionClient().complete(Activities.TOKENS.take(), "done");
          equal(stub.getResult(String.class), "done");
        });
  }

  private static void anotherWorker() throws Exception {
    String queue = unique("queue");
    WorkflowStub stub = client.newUntypedWorkflowStub("Signals", options(queue, unique("run")));
    withWorker(
        queue,
        100,
        q -> {
          stub.start(2);
          stub.signal("add", "one");
          Thread.sleep(300);
        });
    stub.signal("add", "two");
    withWorker(queue, 100, q -> equal(stub.getResult(List.class), List.of("one", "two")));
  }

  private static void memo() throws Exception {
    withWorker(
        queue -> {
          WorkflowStub stub =
              client.newUntypedWorkflowStub(
                  "Does",
                  WorkflowOptions.newBuilder()
                      .setTaskQueue(queue)
                      .setWorkflowId(unique("run"))
                      .setMemo(Map.of("mood", "bad", "size", 3))
                      .build());
          WorkflowExecution run = stub.start("memo", 0);
          stub.getResult(String.class);
          var info =
              service
                  .blockingStub()
                  .describeWorkflowExecution(
                      DescribeWorkflowExecutionRequest.newBuilder()
                          .setNamespace("default")
                          .setExecution(run)
                          .build())
                  .getWorkflowExecutionInfo();
          equal(info.getMemo().getFieldsOrThrow("mood").getData().toStringUtf8(), "\"good\"");
          equal(info.getMemo().getFieldsCount(), 2);
        });
  }

  private static void replay() throws Exception {
    withWorker(
        queue -> {
          for (String what : List.of("chain", "fanout", "retries", "local", "deterministic")) {
            WorkflowStub stub = start(queue, what, 4);
            stub.getResult(String.class);
            WorkflowExecutionHistory history = client.fetchHistory(stub.getExecution().getWorkflowId());
            WorkflowReplayer.replayWorkflowExecution(history, Workflows.DoesImplementation.class);
          }
        });
  }

  private static void alreadyStarted() {
    String id = unique("run");
    String queue = unique("nobody");
    WorkflowStub first = client.newUntypedWorkflowStub("Does", options(queue, id));
    String run = first.start("hello", 0).getRunId();
    Throwable error =
        raises(() -> client.newUntypedWorkflowStub("Does", options(queue, id)).start("hello", 0));
    check(error instanceof WorkflowExecutionAlreadyStarted, error);
    equal(((WorkflowExecutionAlreadyStarted) error).getExecution().getRunId(), run);
  }

  private static void clientErrors() {
    WorkflowStub missing = client.newUntypedWorkflowStub("no such workflow");
    for (Callable<?> call :
        List.<Callable<?>>of(
            () -> missing.getResult(String.class),
            () -> {
              missing.signal("x");
              return null;
            },
            () -> {
              missing.cancel();
              return null;
            })) {
      Throwable error = raises(call);
      check(error instanceof WorkflowNotFoundException, error);
    }
    Throwable error =
        raises(() -> service.blockingStub().queryWorkflow(QueryWorkflowRequest.getDefaultInstance()));
    Status status = ((StatusRuntimeException) error).getStatus();
    equal(status.getCode(), Status.Code.UNIMPLEMENTED);
    equal(
        status.getDescription(),
        "unknown method QueryWorkflow for service temporal.api.workflowservice.v1.WorkflowService");
  }

  private static Map<String, Callable<Void>> tests() {
    Map<String, Callable<Void>> tests = new LinkedHashMap<>();
    add(tests, "the server is healthy", () -> check(service.healthCheck().getStatusValue() == 1, "ill"));
    add(tests, "a workflow says hello", () -> gives("hello", 0, "Hello, World!"));
    add(tests, "activities follow each other from the cache", () -> gives("chain", 8, "8"));
    add(
        tests,
        "every step is replayed without a cache",
        () ->
            withWorker(
                unique("queue"),
                0,
                queue -> equal(start(queue, "chain", 5).getResult(String.class), "5")));
    add(tests, "fifty activities run side by side", () -> gives("fanout", 50, "50"));
    add(tests, "an activity is retried", () -> gives("retries", 4, "4"));
    add(tests, "a failure arrives with type and details", Main::failure);
    add(
        tests,
        "an activity times out",
        () -> withWorker(q -> check(cause(start(q, "timeout", 0)) instanceof TimeoutFailure, "other")));
    add(
        tests,
        "heartbeat details reach the next attempt",
        () -> gives("heartbeat", 0, "from the first attempt"));
    add(tests, "cancellation reaches a heartbeating activity", Main::cancellation);
    add(tests, "a workflow is terminated", Main::termination);
    add(tests, "signals arrive in order", Main::signals);
    add(tests, "a signal starts a workflow", Main::signalWithStart);
    add(tests, "local activities run", () -> gives("local", 0, "Hello, local!"));
    add(tests, "the memo is kept", Main::memo);
    add(tests, "an activity is completed from outside", Main::asyncCompletion);
    add(tests, "a run goes on after its worker", Main::anotherWorker);
    add(tests, "starting twice is an error with the run", Main::alreadyStarted);
    add(tests, "client errors have their type", Main::clientErrors);
    add(tests, "the replayer accepts our histories", Main::replay);
    return tests;
  }

  private interface Test {
    void run() throws Exception;
  }

  private static void add(Map<String, Callable<Void>> tests, String name, Test test) {
    tests.put(
        name,
        () -> {
          test.run();
          return null;
        });
  }

  public static void main(String[] arguments) {
    String address = System.getenv("TEMPORAL_ADDRESS");
    service =
        WorkflowServiceStubs.newServiceStubs(
            WorkflowServiceStubsOptions.newBuilder().setTarget(address).build());
    client = WorkflowClient.newInstance(service);
    int number = 0;
    int failed = 0;
    System.out.println("1.." + tests().size());
    for (var test : tests().entrySet()) {
      number++;
      try {
        test.getValue().call();
        System.out.println("ok " + number + " - " + test.getKey());
      } catch (Throwable error) {
        failed++;
        System.out.println("not ok " + number + " - " + test.getKey());
        for (Throwable e = error; e != null; e = e.getCause()) {
          System.out.println("# " + e);
          for (int i = 0; i < Math.min(6, e.getStackTrace().length); i++) {
            System.out.println("#   " + e.getStackTrace()[i]);
          }
        }
      }
    }
    System.exit(failed == 0 ? 0 : 1);
  }
}
