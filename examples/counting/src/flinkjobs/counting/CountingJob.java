package flinkjobs.counting;

import flinkjobs.numbers.Arguments;
import flinkjobs.numbers.NumberSource;

import org.apache.flink.api.common.eventtime.WatermarkStrategy;
import org.apache.flink.api.common.serialization.SimpleStringEncoder;
import org.apache.flink.api.common.typeinfo.Types;
import org.apache.flink.connector.file.sink.FileSink;
import org.apache.flink.core.fs.Path;
import org.apache.flink.streaming.api.datastream.SingleOutputStreamOperator;
import org.apache.flink.streaming.api.environment.StreamExecutionEnvironment;
import org.apache.flink.streaming.api.functions.sink.filesystem.bucketassigners.BasePathBucketAssigner;
import org.apache.flink.streaming.api.functions.sink.filesystem.rollingpolicies.OnCheckpointRollingPolicy;

/**
 * Counts how often each key was seen, and writes every count once.
 *
 * <p>The numbers 0, 1, 2, … are keyed by {@code number % keys}; each one adds a line {@code
 * key,count} or {@code key,count,label} to the files in the output directory. Lines are committed
 * with a checkpoint or a stop with savepoint, exactly once. So the committed counts of every key
 * are 1, 2, 3, … without a gap or a repeat for as long as state is carried over.
 */
public final class CountingJob {

    private CountingJob() {}

    public static void main(String[] args) throws Exception {
        build(args).execute("counting");
    }

    /** Declares the job without running it, for the jobs that vary it. */
    public static StreamExecutionEnvironment build(String[] args) {
        Arguments arguments =
                Arguments.of(
                        args,
                        "output",
                        "keys",
                        "rate",
                        "checkpoint-interval",
                        "label",
                        "count-parallelism");
        String output = arguments.required("output");
        long keys = arguments.number("keys", 8, 1);
        long rate = arguments.number("rate", 100, 1);
        long checkpointInterval = arguments.number("checkpoint-interval", 1000, 0);
        String label = arguments.optional("label", "");
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
                        .process(new CountPerKey(label), Types.STRING)
                        .uid("count")
                        .name("count");
        if (countParallelism > 0) {
            lines.setParallelism(countParallelism);
        }
        lines.sinkTo(
                        FileSink.forRowFormat(
                                        new Path(output), new SimpleStringEncoder<String>("UTF-8"))
                                .withBucketAssigner(new BasePathBucketAssigner<>())
                                .withRollingPolicy(OnCheckpointRollingPolicy.build())
                                .build())
                .uid("lines")
                .name("lines");
        return env;
    }
}
