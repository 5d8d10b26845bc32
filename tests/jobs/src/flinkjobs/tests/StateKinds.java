package flinkjobs.tests;

import flinkjobs.counting.CountPerKey;
import flinkjobs.counting.CountingJob;
import flinkjobs.numbers.Arguments;
import flinkjobs.numbers.NumberSource;

import org.apache.flink.api.common.eventtime.WatermarkStrategy;
import org.apache.flink.api.common.functions.MapFunction;
import org.apache.flink.api.common.serialization.SimpleStringEncoder;
import org.apache.flink.api.common.state.ListState;
import org.apache.flink.api.common.state.ListStateDescriptor;
import org.apache.flink.api.common.state.MapStateDescriptor;
import org.apache.flink.api.common.state.OperatorStateStore;
import org.apache.flink.api.common.typeinfo.Types;
import org.apache.flink.connector.file.sink.FileSink;
import org.apache.flink.core.fs.Path;
import org.apache.flink.runtime.state.FunctionInitializationContext;
import org.apache.flink.runtime.state.FunctionSnapshotContext;
import org.apache.flink.runtime.state.KeyedStateCheckpointOutputStream;
import org.apache.flink.runtime.state.OperatorStateCheckpointOutputStream;
import org.apache.flink.runtime.state.StateSnapshotContext;
import org.apache.flink.streaming.api.checkpoint.CheckpointedFunction;
import org.apache.flink.streaming.api.datastream.DataStream;
import org.apache.flink.streaming.api.environment.StreamExecutionEnvironment;
import org.apache.flink.streaming.api.operators.AbstractStreamOperator;
import org.apache.flink.streaming.api.operators.OneInputStreamOperator;
import org.apache.flink.streaming.runtime.streamrecord.StreamRecord;

import java.nio.charset.StandardCharsets;
import java.util.Arrays;

/**
 * A job with every kind of state: keyed, list, union list and broadcast state, raw keyed and raw
 * operator state, that of a source's coordinator, and with {@code --pause-millis} of the last
 * operator also records in flight.
 *
 * <p>The operator that is named "no uid" has none, and one has a uid and a name beyond ASCII. With
 * {@code --ended-source 1} there is a second source, which ends at once.
 */
public final class StateKinds {

    private StateKinds() {}

    public static void main(String[] args) throws Exception {
        Arguments arguments = Arguments.of(args, CountingJob.ARGUMENTS, "pause-millis", "ended-source");
        StreamExecutionEnvironment env = StreamExecutionEnvironment.getExecutionEnvironment();
        env.setMaxParallelism(8);
        DataStream<String> lines =
                env.fromSource(
                                new NumberSource(arguments.number("rate", 100, 1)),
                                WatermarkStrategy.noWatermarks(),
                                "numbers",
                                Types.LONG)
                        .uid("numbers")
                        .keyBy(number -> number % 8, Types.LONG)
                        .process(new CountPerKey(""), Types.STRING)
                        .uid("count")
                        .name("count")
                        .map(new OperatorStates(), Types.STRING)
                        .uid("größe-\uD83D\uDE00")
                        .name("operator states \uD83D\uDE00")
                        .keyBy(line -> line.substring(0, 1), Types.STRING)
                        .transform("raw", Types.STRING, new Raw())
                        .uid("raw")
                        .map(new NoUid(), Types.STRING)
                        .name("no uid");
        if (arguments.number("ended-source", 0, 0) > 0) {
            lines =
                    lines.union(
                            env.fromSequence(1, 3)
                                    .uid("ended")
                                    .name("ended")
                                    .map(String::valueOf, Types.STRING)
                                    .uid("ended-map")
                                    .name("ended map"));
        }
        lines.rebalance()
                .map(new Pause(arguments.number("pause-millis", 0, 0)), Types.STRING)
                .uid("pause")
                .name("pause")
                .sinkTo(
                        FileSink.forRowFormat(
                                        new Path(arguments.required("output")),
                                        new SimpleStringEncoder<String>("UTF-8"))
                                .build())
                .uid("lines")
                .name("lines");
        env.execute("state kinds");
    }

    private static final class OperatorStates
            implements MapFunction<String, String>, CheckpointedFunction {

        private static final long serialVersionUID = 1L;

        private transient ListState<Long> split;
        private transient ListState<Long> union;

        @Override
        public String map(String line) {
            return line;
        }

        @Override
        public void snapshotState(FunctionSnapshotContext context) throws Exception {
            split.update(Arrays.asList(1L, 2L, 3L));
            union.update(Arrays.asList(4L));
        }

        @Override
        public void initializeState(FunctionInitializationContext context) throws Exception {
            OperatorStateStore store = context.getOperatorStateStore();
            split = store.getListState(new ListStateDescriptor<>("split", Types.LONG));
            union = store.getUnionListState(new ListStateDescriptor<>("union", Types.LONG));
            store.getBroadcastState(new MapStateDescriptor<>("rules", Types.LONG, Types.STRING))
                    .put(1L, "rule");
        }
    }

    private static final class NoUid implements MapFunction<String, String>, CheckpointedFunction {

        private static final long serialVersionUID = 1L;

        private transient ListState<Long> one;

        @Override
        public String map(String line) {
            return line;
        }

        @Override
        public void snapshotState(FunctionSnapshotContext context) throws Exception {
            one.update(Arrays.asList(1L));
        }

        @Override
        public void initializeState(FunctionInitializationContext context) throws Exception {
            one =
                    context.getOperatorStateStore()
                            .getListState(new ListStateDescriptor<>("one", Types.LONG));
        }
    }

    private static final class Pause implements MapFunction<String, String> {

        private static final long serialVersionUID = 1L;

        private final long millis;

        Pause(long millis) {
            this.millis = millis;
        }

        @Override
        public String map(String line) throws InterruptedException {
            Thread.sleep(millis);
            return line;
        }
    }

    private static final class Raw extends AbstractStreamOperator<String>
            implements OneInputStreamOperator<String, String> {

        private static final long serialVersionUID = 1L;

        @Override
        public void processElement(StreamRecord<String> element) {
            output.collect(element);
        }

        @Override
        protected boolean isUsingCustomRawKeyedState() {
            return true;
        }

        @Override
        public void snapshotState(StateSnapshotContext context) throws Exception {
            super.snapshotState(context);
            OperatorStateCheckpointOutputStream operator = context.getRawOperatorStateOutput();
            operator.startNewPartition();
            operator.write("raw operator state".getBytes(StandardCharsets.UTF_8));
            KeyedStateCheckpointOutputStream keyed = context.getRawKeyedOperatorStateOutput();
            for (int group : keyed.getKeyGroupList()) {
                keyed.startNewKeyGroup(group);
                keyed.write(group);
            }
        }
    }
}
