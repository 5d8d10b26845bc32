package flinkjobs.tests;

import flinkjobs.counting.CountPerKey;
import flinkjobs.counting.CountingJob;
import flinkjobs.numbers.Arguments;
import flinkjobs.numbers.NumberSource;

import org.apache.flink.api.common.eventtime.WatermarkStrategy;
import org.apache.flink.api.common.serialization.SimpleStringEncoder;
import org.apache.flink.api.common.typeinfo.Types;
import org.apache.flink.connector.file.sink.FileSink;
import org.apache.flink.core.fs.Path;
import org.apache.flink.streaming.api.environment.StreamExecutionEnvironment;
import org.apache.flink.streaming.api.functions.sink.filesystem.bucketassigners.BasePathBucketAssigner;
import org.apache.flink.streaming.api.functions.sink.filesystem.rollingpolicies.OnCheckpointRollingPolicy;

/** CountingJob whose numbers have event times: {@code behind-millis} before they are read. */
public final class BehindInEventTime {

    private BehindInEventTime() {}

    public static void main(String[] args) throws Exception {
        Arguments arguments = Arguments.of(args, CountingJob.ARGUMENTS, "behind-millis");
        long keys = arguments.number("keys", 8, 1);
        long behind = arguments.number("behind-millis", 0, 0);
        StreamExecutionEnvironment env = StreamExecutionEnvironment.getExecutionEnvironment();
        env.setMaxParallelism(128);
        env.enableCheckpointing(arguments.number("checkpoint-interval", 1000, 1));
        env.fromSource(
                        new NumberSource(arguments.number("rate", 100, 1)),
                        WatermarkStrategy.<Long>noWatermarks()
                                .withTimestampAssigner(
                                        (number, read) -> System.currentTimeMillis() - behind),
                        "numbers",
                        Types.LONG)
                .uid("numbers")
                .keyBy(number -> number % keys, Types.LONG)
                .process(new CountPerKey(arguments.optional("label", "")), Types.STRING)
                .uid("count")
                .name("count")
                .sinkTo(
                        FileSink.forRowFormat(
                                        new Path(arguments.required("output")),
                                        new SimpleStringEncoder<String>("UTF-8"))
                                .withBucketAssigner(new BasePathBucketAssigner<>())
                                .withRollingPolicy(OnCheckpointRollingPolicy.build())
                                .build())
                .uid("lines")
                .name("lines");
        env.execute("counting");
    }
}
