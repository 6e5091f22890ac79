import io.temporal.activity.ActivityInterface;
import io.temporal.activity.ActivityOptions;
import io.temporal.client.WorkflowClient;
import io.temporal.serviceclient.WorkflowServiceStubs;
import io.temporal.serviceclient.WorkflowServiceStubsOptions;
import io.temporal.worker.Worker;
import io.temporal.worker.WorkerFactory;
import io.temporal.workflow.Workflow;
import io.temporal.workflow.WorkflowInterface;
import io.temporal.workflow.WorkflowMethod;
import java.time.Duration;
import java.util.Map;

/** Orders of mixed.sql in Java; needs io.temporal:temporal-sdk in the class path. */
public final class OrderWorker {
  private OrderWorker() {}

  @ActivityInterface
  public interface Shipping {
    String ship(Map<String, Object> order);
  }

  @WorkflowInterface
  public interface Order {
    @WorkflowMethod(name = "Order")
    String run(Map<String, Object> order);
  }

  public static class OrderImplementation implements Order {
    private static ActivityOptions.Builder options() {
      return ActivityOptions.newBuilder().setStartToCloseTimeout(Duration.ofSeconds(30));
    }

    @Override
    public String run(Map<String, Object> order) {
      // A function in the database, exactly once.
      String charged =
          Workflow.newUntypedActivityStub(options().setTaskQueue("payments").build())
              .execute("charge", String.class, order);
      String shipped = Workflow.newActivityStub(Shipping.class, options().build()).ship(order);
      return charged + ", " + shipped;
    }
  }

  public static void main(String[] arguments) {
    String address = System.getenv().getOrDefault("TEMPORAL_ADDRESS", "127.0.0.1:7233");
    WorkflowServiceStubs service =
        WorkflowServiceStubs.newServiceStubs(
            WorkflowServiceStubsOptions.newBuilder().setTarget(address).build());
    WorkerFactory factory = WorkerFactory.newInstance(WorkflowClient.newInstance(service));
    Worker worker = factory.newWorker("orders-java");
    worker.registerWorkflowImplementationTypes(OrderImplementation.class);
    worker.registerActivitiesImplementations(
        (Shipping) order -> "shipped by java: " + order.get("order_id"));
    factory.start();
  }
}
