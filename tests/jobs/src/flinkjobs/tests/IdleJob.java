package flinkjobs.tests;

import flinkjobs.numbers.Arguments;
import flinkjobs.numbers.NumberSource;
import flinkjobs.numbers.NumberSplit;

import org.apache.flink.api.common.eventtime.WatermarkStrategy;
import org.apache.flink.api.common.typeinfo.Types;
import org.apache.flink.api.connector.source.Boundedness;
import org.apache.flink.api.connector.source.Source;
import org.apache.flink.api.connector.source.SourceReader;
import org.apache.flink.api.connector.source.SourceReaderContext;
import org.apache.flink.api.connector.source.SplitEnumerator;
import org.apache.flink.api.connector.source.SplitEnumeratorContext;
import org.apache.flink.core.io.SimpleVersionedSerializer;
import org.apache.flink.streaming.api.environment.StreamExecutionEnvironment;

import java.util.Collections;
import java.util.List;

/**
 * Runs without end and never does anything: one task, whose source has nothing to emit.
 *
 * <p>It takes `--name`, how its source is called. Many of them leave a machine to whatever is
 * measured there.
 */
public final class IdleJob {

    private IdleJob() {}

    public static void main(String[] args) throws Exception {
        String name = Arguments.of(args, List.of("name")).required("name");
        StreamExecutionEnvironment env = StreamExecutionEnvironment.getExecutionEnvironment();
        env.fromSource(new EmptySource(), WatermarkStrategy.noWatermarks(), name, Types.LONG)
                .uid("numbers")
                .filter(number -> false)
                .uid("none")
                .name("none");
        env.execute("idle");
    }

    /** A NumberSource whose one split nobody is given. */
    private static final class EmptySource
            implements Source<Long, NumberSplit, List<NumberSplit>> {

        private static final long serialVersionUID = 1L;

        private final NumberSource numbers = new NumberSource(1);

        @Override
        public Boundedness getBoundedness() {
            return numbers.getBoundedness();
        }

        @Override
        public SourceReader<Long, NumberSplit> createReader(SourceReaderContext context) {
            return numbers.createReader(context);
        }

        @Override
        public SplitEnumerator<NumberSplit, List<NumberSplit>> createEnumerator(
                SplitEnumeratorContext<NumberSplit> context) {
            return numbers.restoreEnumerator(context, Collections.emptyList());
        }

        @Override
        public SplitEnumerator<NumberSplit, List<NumberSplit>> restoreEnumerator(
                SplitEnumeratorContext<NumberSplit> context, List<NumberSplit> unassigned) {
            return createEnumerator(context);
        }

        @Override
        public SimpleVersionedSerializer<NumberSplit> getSplitSerializer() {
            return numbers.getSplitSerializer();
        }

        @Override
        public SimpleVersionedSerializer<List<NumberSplit>>
                getEnumeratorCheckpointSerializer() {
            return numbers.getEnumeratorCheckpointSerializer();
        }
    }
}
