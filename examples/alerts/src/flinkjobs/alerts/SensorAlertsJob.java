package flinkjobs.alerts;

import flinkjobs.numbers.Arguments;
import flinkjobs.numbers.NumberSource;

import org.apache.flink.api.common.eventtime.WatermarkStrategy;
import org.apache.flink.api.common.serialization.SimpleStringEncoder;
import org.apache.flink.api.common.typeinfo.TypeInformation;
import org.apache.flink.api.common.typeinfo.Types;
import org.apache.flink.connector.file.sink.FileSink;
import org.apache.flink.core.fs.Path;
import org.apache.flink.streaming.api.datastream.DataStream;
import org.apache.flink.streaming.api.datastream.DataStreamSink;
import org.apache.flink.streaming.api.environment.StreamExecutionEnvironment;
import org.apache.flink.streaming.api.functions.sink.filesystem.bucketassigners.BasePathBucketAssigner;
import org.apache.flink.streaming.api.functions.sink.filesystem.rollingpolicies.OnCheckpointRollingPolicy;

import java.util.List;

/**
 * Raises an alert for every sensor that stays too hot for too long.
 *
 * <p>The readings are simulated: each sensor's temperature swings slowly around 25 °C. An alert
 * names the sensor, and its average over all readings since the job was first started, which a
 * savepoint carries over. Alerts go to the output directory, or without one to the standard output
 * of the TaskManager.
 */
public final class SensorAlertsJob {

    private SensorAlertsJob() {}

    public static void main(String[] args) throws Exception {
        Arguments arguments =
                Arguments.of(
                        args,
                        List.of(
                                "output",
                                "sensors",
                                "rate",
                                "threshold",
                                "hold-millis",
                                "checkpoint-interval"));
        long sensors = arguments.number("sensors", 10, 1);
        long rate = arguments.number("rate", 100, 1);
        long threshold = arguments.number("threshold", 30, -273);
        long holdMillis = arguments.number("hold-millis", 2000, 1);
        long checkpointInterval = arguments.number("checkpoint-interval", 1000, 0);
        String output = arguments.optional("output", "");

        StreamExecutionEnvironment env = StreamExecutionEnvironment.getExecutionEnvironment();
        env.setMaxParallelism(128);
        if (checkpointInterval > 0) {
            env.enableCheckpointing(checkpointInterval);
        }
        DataStream<String> alerts =
                env.fromSource(
                                new NumberSource(rate),
                                WatermarkStrategy.noWatermarks(),
                                "readings",
                                Types.LONG)
                        .uid("readings")
                        .map(
                                number -> Reading.simulated(number, sensors),
                                TypeInformation.of(Reading.class))
                        .uid("simulate")
                        .name("simulate")
                        .keyBy(reading -> reading.sensor, Types.LONG)
                        .process(new HeatAlert(threshold, holdMillis), Types.STRING)
                        .uid("alert")
                        .name("alert");
        DataStreamSink<String> sink =
                output.isEmpty()
                        ? alerts.print()
                        : alerts.sinkTo(
                                FileSink.forRowFormat(
                                                new Path(output),
                                                new SimpleStringEncoder<String>("UTF-8"))
                                        .withBucketAssigner(new BasePathBucketAssigner<>())
                                        .withRollingPolicy(OnCheckpointRollingPolicy.build())
                                        .build());
        sink.uid("alerts").name("alerts");
        env.execute("sensor-alerts");
    }
}
