import io.temporal.activity.ActivityCancellationType;
import io.temporal.activity.ActivityOptions;
import io.temporal.activity.LocalActivityOptions;
import io.temporal.common.RetryOptions;
import io.temporal.workflow.Async;
import io.temporal.workflow.Promise;
import io.temporal.workflow.SignalMethod;
import io.temporal.workflow.Workflow;
import io.temporal.workflow.WorkflowInterface;
import io.temporal.workflow.WorkflowMethod;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;

/** One workflow that does what its argument names, and one that takes signals. */
public final class Workflows {
  private static final RetryOptions QUICK =
      RetryOptions.newBuilder()
          .setInitialInterval(Duration.ofMillis(20))
          .validateBuildWithDefaults();

  private Workflows() {}

  @WorkflowInterface
  public interface Does {
    @WorkflowMethod
    String run(String what, int count);
  }

  @WorkflowInterface
  public interface Signals {
    @WorkflowMethod
    List<String> run(int wanted);

    @SignalMethod
    void add(String text);
  }

  public static class DoesImplementation implements Does {
    private final Activities activities =
        Workflow.newActivityStub(
            Activities.class,
            ActivityOptions.newBuilder()
                .setStartToCloseTimeout(Duration.ofSeconds(20))
                .setHeartbeatTimeout(Duration.ofSeconds(2))
                .setCancellationType(ActivityCancellationType.WAIT_CANCELLATION_COMPLETED)
                .setRetryOptions(QUICK)
                .build());
    private final Activities impatient =
        Workflow.newActivityStub(
            Activities.class,
            ActivityOptions.newBuilder()
                .setStartToCloseTimeout(Duration.ofSeconds(1))
                .setRetryOptions(RetryOptions.newBuilder().setMaximumAttempts(1).build())
                .build());
    private final Activities local =
        Workflow.newLocalActivityStub(
            Activities.class,
            LocalActivityOptions.newBuilder()
                .setStartToCloseTimeout(Duration.ofSeconds(20))
                .setRetryOptions(QUICK)
                .build());

    @Override
    public String run(String what, int count) {
      switch (what) {
        case "hello":
          return activities.greet("World");
        case "chain":
          for (int i = 0; i < count; i++) {
            activities.greet("" + i);
            Workflow.sleep(Duration.ofMillis(10));
          }
          return "" + count;
        case "fanout":
          return "" + fanout(count);
        case "retries":
          return "" + activities.failUntil(count);
        case "failure":
          activities.failForGood();
          return "";
        case "timeout":
          impatient.sleepLong();
          return "";
        case "heartbeat":
          return activities.rememberHeartbeat();
        case "cancel":
          activities.beatUntilCancelled();
          return "";
        case "local":
          return local.greet("local");
        case "deterministic":
          return deterministic();
        case "memo":
          Workflow.upsertMemo(Map.of("mood", "good"));
          return "";
        case "later":
          return activities.completeLater();
        default:
          Workflow.await(() -> false);
          return "";
      }
    }

    private long fanout(int count) {
      List<Promise<String>> promises = new ArrayList<>();
      for (int i = 0; i < count; i++) {
        promises.add(Async.function(activities::greet, "" + i));
      }
      return promises.stream().map(Promise::get).distinct().count();
    }

    private static String deterministic() {
      String id = Workflow.randomUUID().toString();
      String effect = Workflow.sideEffect(String.class, () -> "" + System.nanoTime());
      Workflow.sleep(Duration.ofMillis(20));
      int version = Workflow.getVersion("change", Workflow.DEFAULT_VERSION, 2);
      Workflow.sleep(Duration.ofMillis(20));
      return id + effect + ":" + version;
    }
  }

  public static class SignalsImplementation implements Signals {
    private final List<String> got = new ArrayList<>();

    @Override
    public List<String> run(int wanted) {
      Workflow.await(() -> got.size() >= wanted);
      return got;
    }

    @Override
    public void add(String text) {
      got.add(text);
    }
  }
}
