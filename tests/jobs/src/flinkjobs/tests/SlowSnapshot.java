package flinkjobs.tests;

import flinkjobs.counting.CountPerKey;
import flinkjobs.counting.CountingJob;
import flinkjobs.numbers.Arguments;

import org.apache.flink.runtime.state.FunctionInitializationContext;
import org.apache.flink.runtime.state.FunctionSnapshotContext;
import org.apache.flink.streaming.api.checkpoint.CheckpointedFunction;

/** CountingJob whose every snapshot takes {@code --snapshot-millis} (default 2000). */
public final class SlowSnapshot {

    private SlowSnapshot() {}

    public static void main(String[] args) throws Exception {
        Arguments arguments = Arguments.of(args, CountingJob.ARGUMENTS, "snapshot-millis");
        long millis = arguments.number("snapshot-millis", 2000, 0);
        Count count = new Count(arguments.optional("label", ""), millis);
        CountingJob.declare(arguments, count, "count").execute("counting");
    }

    private static final class Count extends CountPerKey implements CheckpointedFunction {

        private static final long serialVersionUID = 1L;

        private final long millis;

        Count(String label, long millis) {
            super(label);
            this.millis = millis;
        }

        @Override
        public void snapshotState(FunctionSnapshotContext context) throws InterruptedException {
            Thread.sleep(millis);
        }

        @Override
        public void initializeState(FunctionInitializationContext context) {}
    }
}
