# frozen_string_literal: true

# A worker and a client of the Ruby SDK.

require 'securerandom'
require 'temporalio/activity'
require 'temporalio/client'
require 'temporalio/worker'
require 'temporalio/workflow'

class Greet < Temporalio::Activity::Definition
  def execute(name)
    "Hello, #{name}"
  end
end

# Fails twice before it succeeds.
class Flaky < Temporalio::Activity::Definition
  def execute
    attempt = Temporalio::Activity::Context.current.info.attempt
    raise 'not yet' if attempt < 3

    attempt
  end
end

class Hello < Temporalio::Workflow::Definition
  def execute(name)
    Temporalio::Workflow.execute_activity(Greet, name, start_to_close_timeout: 10)
  end
end

class Retries < Temporalio::Workflow::Definition
  def execute
    Temporalio::Workflow.execute_activity(
      Flaky,
      start_to_close_timeout: 10,
      retry_policy: Temporalio::RetryPolicy.new(initial_interval: 0.1)
    )
  end
end

class Waits < Temporalio::Workflow::Definition
  def execute
    Temporalio::Workflow.sleep(0.1)
    Temporalio::Workflow.wait_condition { @answer }
    @answer
  end

  workflow_signal
  def answer(value)
    @answer = value
  end
end

TESTS = {
  'a workflow calls an activity' => lambda do |client, options|
    client.execute_workflow(Hello, 'Ruby', **options) == 'Hello, Ruby'
  end,
  'an activity is tried again' => lambda do |client, options|
    client.execute_workflow(Retries, **options) == 3
  end,
  'a signal arrives' => lambda do |client, options|
    handle = client.start_workflow(Waits, **options)
    handle.signal(Waits.answer, 42)
    handle.result == 42
  end,
  'a workflow id is used once at a time' => lambda do |client, options|
    handle = client.start_workflow(Waits, **options)
    begin
      client.start_workflow(Waits, **options)
      false
    rescue Temporalio::Error::WorkflowAlreadyStartedError
      handle.terminate
      true
    end
  end
}.freeze

client = Temporalio::Client.connect(ENV.fetch('TEMPORAL_ADDRESS'), 'default')
queue = "ruby-#{SecureRandom.uuid}"
worker = Temporalio::Worker.new(
  client:, task_queue: queue, workflows: [Hello, Retries, Waits], activities: [Greet, Flaky]
)
failed = 0
puts "1..#{TESTS.size}"
worker.run do
  TESTS.each_with_index do |(name, test), number|
    passed =
      begin
        test.call(client, { id: SecureRandom.uuid, task_queue: queue })
      rescue StandardError => e
        puts "# #{e.full_message(highlight: false).gsub("\n", "\n# ")}"
        false
      end
    failed += 1 unless passed
    puts "#{passed ? 'ok' : 'not ok'} #{number + 1} - #{name}"
  end
end
exit(failed.zero? ? 0 : 1)
