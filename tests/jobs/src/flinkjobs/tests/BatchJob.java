package flinkjobs.tests;

import flinkjobs.counting.CountPerKey;
import flinkjobs.numbers.Arguments;

import org.apache.flink.api.common.RuntimeExecutionMode;
import org.apache.flink.api.common.serialization.SimpleStringEncoder;
import org.apache.flink.api.common.typeinfo.Types;
import org.apache.flink.connector.file.sink.FileSink;
import org.apache.flink.core.fs.Path;
import org.apache.flink.streaming.api.environment.StreamExecutionEnvironment;
import org.apache.flink.streaming.api.functions.sink.filesystem.bucketassigners.BasePathBucketAssigner;

import java.io.File;
import java.util.List;

/**
 * A bounded job in batch mode: counts the numbers 1 to {@code --numbers} (default 100) by key,
 * holding each one for {@code --millis} (default 0), and all of them until the file {@code --until}
 * exists, if one is named; then it finishes.
 */
public final class BatchJob {

    private BatchJob() {}

    public static void main(String[] args) throws Exception {
        Arguments arguments = Arguments.of(args, List.of("output", "numbers", "millis", "label", "until"));
        long millis = arguments.number("millis", 0, 0);
        String until = arguments.optional("until", "");
        StreamExecutionEnvironment env = StreamExecutionEnvironment.getExecutionEnvironment();
        env.setRuntimeMode(RuntimeExecutionMode.BATCH);
        env.fromSequence(1, arguments.number("numbers", 100, 1))
                .uid("numbers")
                .map(
                        number -> {
                            Thread.sleep(millis);
                            while (!until.isEmpty() && !new File(until).exists()) {
                                Thread.sleep(20);
                            }
                            return number;
                        },
                        Types.LONG)
                .uid("hold")
                .keyBy(number -> number % 8, Types.LONG)
                .process(new CountPerKey(arguments.optional("label", "")), Types.STRING)
                .uid("count")
                .sinkTo(
                        FileSink.forRowFormat(
                                        new Path(arguments.required("output")),
                                        new SimpleStringEncoder<String>("UTF-8"))
                                .withBucketAssigner(new BasePathBucketAssigner<>())
                                .build())
                .uid("lines");
        env.execute("batch");
    }
}
