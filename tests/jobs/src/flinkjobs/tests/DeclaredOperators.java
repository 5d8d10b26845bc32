package flinkjobs.tests;

import flinkjobs.numbers.Arguments;
import flinkjobs.numbers.NumberSource;

import org.apache.flink.api.common.eventtime.WatermarkStrategy;
import org.apache.flink.api.common.functions.MapFunction;
import org.apache.flink.api.common.state.ListState;
import org.apache.flink.api.common.state.ListStateDescriptor;
import org.apache.flink.api.common.state.ValueState;
import org.apache.flink.api.common.state.ValueStateDescriptor;
import org.apache.flink.api.common.typeinfo.Types;
import org.apache.flink.runtime.state.FunctionInitializationContext;
import org.apache.flink.runtime.state.FunctionSnapshotContext;
import org.apache.flink.streaming.api.checkpoint.CheckpointedFunction;
import org.apache.flink.streaming.api.datastream.DataStream;
import org.apache.flink.streaming.api.datastream.SingleOutputStreamOperator;
import org.apache.flink.streaming.api.environment.StreamExecutionEnvironment;
import org.apache.flink.streaming.api.functions.KeyedProcessFunction;
import org.apache.flink.util.Collector;

import java.util.List;

/**
 * Runs the operators that its arguments declare, to compare the state of one program with another.
 *
 * <p>{@code --operators "keyed:count:c,list:buffer:b,plain:print:"}: one after another, each with
 * its kind, its name and its uid, which may be empty, or a hash after a {@code #}, which is set by
 * {@code setUidHash}. {@code keyed} counts per key in keyed state, {@code list} keeps what it saw
 * last in operator state, {@code plain} has no state. {@code --sources "a:a,b:"} reads the union of
 * several sources, each with its name and its uid.
 */
public final class DeclaredOperators {

    private DeclaredOperators() {}

    public static void main(String[] args) throws Exception {
        Arguments arguments =
                Arguments.of(
                        args, List.of("operators", "sources", "rate", "checkpoint-interval", "max"));
        StreamExecutionEnvironment env = StreamExecutionEnvironment.getExecutionEnvironment();
        long interval = arguments.number("checkpoint-interval", 1000, 0);
        if (interval > 0) {
            env.enableCheckpointing(interval);
        }
        int max = (int) arguments.number("max", 0, 0);
        if (max > 0) {
            env.setMaxParallelism(max);
        }
        DataStream<Long> numbers = null;
        for (String declared : arguments.optional("sources", "numbers:numbers").split(",")) {
            String[] parts = declared.split(":", -1);
            DataStream<Long> source =
                    named(
                            env.fromSource(
                                    new NumberSource(arguments.number("rate", 100, 1)),
                                    WatermarkStrategy.noWatermarks(),
                                    parts[0],
                                    Types.LONG),
                            parts[0],
                            parts[1]);
            numbers = numbers == null ? source : numbers.union(source);
        }
        for (String declared : arguments.required("operators").split(",")) {
            String[] parts = declared.split(":", -1);
            numbers = named(added(numbers, parts[0]), parts[1], parts[2]);
        }
        env.execute("declared-operators");
    }

    private static SingleOutputStreamOperator<Long> added(DataStream<Long> numbers, String kind) {
        switch (kind) {
            case "keyed":
                return numbers.keyBy(number -> number % 8, Types.LONG)
                        .process(new Count(), Types.LONG);
            case "list":
                return numbers.map(new Last()).returns(Types.LONG);
            case "plain":
                return numbers.map(number -> number + 1).returns(Types.LONG);
            default:
                throw new IllegalArgumentException("'" + kind + "' is no kind of operator");
        }
    }

    private static SingleOutputStreamOperator<Long> named(
            SingleOutputStreamOperator<Long> operator, String name, String uid) {
        if (uid.startsWith("#")) {
            return operator.setUidHash(uid.substring(1)).name(name);
        }
        return (uid.isEmpty() ? operator : operator.uid(uid)).name(name);
    }

    private static final class Count extends KeyedProcessFunction<Long, Long, Long> {

        private static final long serialVersionUID = 1L;

        private transient ValueState<Long> count;

        @Override
        public void processElement(Long number, Context context, Collector<Long> counts)
                throws Exception {
            if (count == null) {
                count =
                        getRuntimeContext()
                                .getState(new ValueStateDescriptor<>("count", Types.LONG));
            }
            Long before = count.value();
            count.update(before == null ? 1 : before + 1);
            counts.collect(number);
        }
    }

    private static final class Last implements MapFunction<Long, Long>, CheckpointedFunction {

        private static final long serialVersionUID = 1L;

        private long last;
        private transient ListState<Long> state;

        @Override
        public Long map(Long number) {
            last = number;
            return number;
        }

        @Override
        public void snapshotState(FunctionSnapshotContext context) throws Exception {
            state.update(List.of(last));
        }

        @Override
        public void initializeState(FunctionInitializationContext context) throws Exception {
            state =
                    context.getOperatorStateStore()
                            .getListState(new ListStateDescriptor<>("last", Types.LONG));
        }
    }
}
