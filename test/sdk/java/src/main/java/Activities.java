import io.temporal.activity.Activity;
import io.temporal.activity.ActivityInterface;
import io.temporal.client.ActivityCompletionException;
import io.temporal.failure.ApplicationFailure;
import java.util.Optional;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.LinkedBlockingQueue;

@ActivityInterface
public interface Activities {
  String greet(String name);

  int failUntil(int attempt);

  void failForGood();

  void sleepLong();

  void beatUntilCancelled();

  String rememberHeartbeat();

  String completeLater();

  BlockingQueue<byte[]> TOKENS = new LinkedBlockingQueue<>();
  CountDownLatch BEATING = new CountDownLatch(1);

  class Implementation implements Activities {
    @Override
    public String greet(String name) {
      return "Hello, " + name + "!";
    }

    @Override
    public int failUntil(int attempt) {
      int now = Activity.getExecutionContext().getInfo().getAttempt();
      if (now < attempt) {
        throw new IllegalStateException("not yet");
      }
      return now;
    }

    @Override
    public void failForGood() {
      throw ApplicationFailure.newNonRetryableFailure("never", "Never", 42);
    }

    @Override
    public void sleepLong() {
      pause(60_000);
    }

    @Override
    public void beatUntilCancelled() {
      while (true) {
        try {
          Activity.getExecutionContext().heartbeat("beat");
        } catch (ActivityCompletionException e) {
          throw e;
        }
        BEATING.countDown();
        pause(50);
      }
    }

    @Override
    public String rememberHeartbeat() {
      Optional<String> details = Activity.getExecutionContext().getHeartbeatDetails(String.class);
      if (details.isPresent()) {
        return details.get();
      }
      Activity.getExecutionContext().heartbeat("from the first attempt");
      throw new IllegalStateException("lost");
    }

    @Override
    public String completeLater() {
      TOKENS.add(Activity.getExecutionContext().getTaskToken());
      Activity.getExecutionContext().doNotCompleteOnReturn();
      return null;
    }

    private static void pause(long milliseconds) {
      try {
        Thread.sleep(milliseconds);
      } catch (InterruptedException e) {
        throw new IllegalStateException(e);
      }
    }
  }
}
