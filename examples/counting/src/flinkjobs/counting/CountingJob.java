package flinkjobs.counting;

import flinkjobs.numbers.Arguments;
import flinkjobs.numbers.NumberSource;

import org.apache.flink.api.common.eventtime.WatermarkStrategy;
import org.apache.flink.api.common.serialization.Encoder;
import org.apache.flink.api.common.serialization.SimpleStringEncoder;
import org.apache.flink.api.common.typeinfo.Types;
import org.apache.flink.connector.file.sink.FileSink;
import org.apache.flink.core.fs.Path;
import org.apache.flink.streaming.api.datastream.SingleOutputStreamOperator;
import org.apache.flink.streaming.api.environment.StreamExecutionEnvironment;
import org.apache.flink.streaming.api.functions.KeyedProcessFunction;
import org.apache.flink.streaming.api.functions.sink.filesystem.bucketassigners.BasePathBucketAssigner;
import org.apache.flink.streaming.api.functions.sink.filesystem.rollingpolicies.OnCheckpointRollingPolicy;

import java.util.List;

/**
 * Counts how often each key was seen, and writes every count once.
 *
 * <p>The numbers 0, 1, 2, … are keyed by {@code number % keys}; each one adds a line {@code
 * key,count} or {@code key,count,label} to the files in the output directory. Lines are committed
 * with a checkpoint or a stop with savepoint, exactly once. So the committed counts of every key
 * are 1, 2, 3, … without a gap or a repeat for as long as state is carried over.
 */
public final class CountingJob {

    /** The arguments it takes. */
    public static final List<String> ARGUMENTS =
            List.of(
                    "output",
                    "keys",
                    "rate",
                    "checkpoint-interval",
                    "label",
                    "count-parallelism",
                    "sink-uid");

    private CountingJob() {}

    public static void main(String[] args) throws Exception {
        Arguments arguments = Arguments.of(args, ARGUMENTS);
        declare(arguments, new CountPerKey(arguments.optional("label", "")), "count")
                .execute("counting");
    }

    /** Declares the job without running it, with another way to count where one is given. */
    public static StreamExecutionEnvironment declare(
            Arguments arguments, KeyedProcessFunction<Long, Long, String> count, String countUid) {
        return declare(arguments, count, countUid, new SimpleStringEncoder<>("UTF-8"));
    }

    /** Declares the job with another way to write lines. */
    public static StreamExecutionEnvironment declare(
            Arguments arguments,
            KeyedProcessFunction<Long, Long, String> count,
            String countUid,
            Encoder<String> encoder) {
        String output = arguments.required("output");
        long keys = arguments.number("keys", 8, 1);
        long rate = arguments.number("rate", 100, 1);
        long checkpointInterval = arguments.number("checkpoint-interval", 1000, 0);
        int countParallelism = (int) arguments.number("count-parallelism", 0, 0);

        StreamExecutionEnvironment env = StreamExecutionEnvironment.getExecutionEnvironment();
        // Fixed, since state can only be restored with the same maximum.
        env.setMaxParallelism(128);
        if (checkpointInterval > 0) {
            env.enableCheckpointing(checkpointInterval);
        }
        SingleOutputStreamOperator<String> lines =
                env.fromSource(
                                new NumberSource(rate),
                                WatermarkStrategy.noWatermarks(),
                                "numbers",
                                Types.LONG)
                        .uid("numbers")
                        .keyBy(number -> number % keys, Types.LONG)
                        .process(count, Types.STRING)
                        .uid(countUid)
                        .name("count");
        if (countParallelism > 0) {
            lines.setParallelism(countParallelism);
        }
        lines.sinkTo(
                        FileSink.forRowFormat(new Path(output), encoder)
                                .withBucketAssigner(new BasePathBucketAssigner<>())
                                .withRollingPolicy(OnCheckpointRollingPolicy.build())
                                .build())
                // Another one in a rehearsal: what the job has yet to commit is not its to commit.
                .uid(arguments.optional("sink-uid", "lines"))
                .name("lines");
        return env;
    }
}
