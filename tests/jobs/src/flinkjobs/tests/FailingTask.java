package flinkjobs.tests;

import flinkjobs.counting.CountPerKey;
import flinkjobs.counting.CountingJob;
import flinkjobs.numbers.Arguments;

import org.apache.flink.util.Collector;

import java.util.concurrent.TimeUnit;

/**
 * CountingJob whose counting tasks fail {@code --fail-after-millis} (default 500) after their first
 * number, each time they are started. It is restarted {@code --restarts} times (default 0).
 */
public final class FailingTask {

    private FailingTask() {}

    public static void main(String[] args) throws Exception {
        Arguments arguments =
                Arguments.of(args, CountingJob.ARGUMENTS, "fail-after-millis", "restarts");
        long millis = arguments.number("fail-after-millis", 500, 0);
        Count count = new Count(arguments.optional("label", ""), millis);
        Restarts.allow(
                        arguments.number("restarts", 0, 0),
                        CountingJob.declare(arguments, count, "count"))
                .execute("counting");
    }

    private static final class Count extends CountPerKey {

        private static final long serialVersionUID = 1L;

        private final long millis;
        private transient long first;

        Count(String label, long millis) {
            super(label);
            this.millis = millis;
        }

        @Override
        public void processElement(Long number, Context context, Collector<String> lines)
                throws Exception {
            if (first == 0) {
                first = System.nanoTime();
            }
            if (System.nanoTime() - first >= TimeUnit.MILLISECONDS.toNanos(millis)) {
                throw new IllegalStateException("the task failed on purpose");
            }
            super.processElement(number, context, lines);
        }
    }
}
