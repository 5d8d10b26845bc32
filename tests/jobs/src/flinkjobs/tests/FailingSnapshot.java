package flinkjobs.tests;

import flinkjobs.counting.CountPerKey;
import flinkjobs.counting.CountingJob;
import flinkjobs.numbers.Arguments;

import org.apache.flink.runtime.state.FunctionInitializationContext;
import org.apache.flink.runtime.state.FunctionSnapshotContext;
import org.apache.flink.streaming.api.checkpoint.CheckpointedFunction;

import java.nio.file.Files;
import java.nio.file.Paths;

/**
 * CountingJob whose snapshots fail for as long as the file {@code --marker} exists. It is restarted
 * {@code --restarts} times (default 0: the first failure ends it).
 */
public final class FailingSnapshot {

    private FailingSnapshot() {}

    public static void main(String[] args) throws Exception {
        Arguments arguments = Arguments.of(args, CountingJob.ARGUMENTS, "marker", "restarts");
        Count count = new Count(arguments.optional("label", ""), arguments.required("marker"));
        Restarts.allow(
                        arguments.number("restarts", 0, 0),
                        CountingJob.declare(arguments, count, "count"))
                .execute("counting");
    }

    private static final class Count extends CountPerKey implements CheckpointedFunction {

        private static final long serialVersionUID = 1L;

        private final String marker;

        Count(String label, String marker) {
            super(label);
            this.marker = marker;
        }

        @Override
        public void snapshotState(FunctionSnapshotContext context) {
            if (Files.exists(Paths.get(marker))) {
                throw new IllegalStateException("the snapshot failed on purpose");
            }
        }

        @Override
        public void initializeState(FunctionInitializationContext context) {}
    }
}
