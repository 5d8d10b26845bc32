package flinkjobs.numbers;

import org.apache.flink.api.connector.source.Boundedness;
import org.apache.flink.api.connector.source.Source;
import org.apache.flink.api.connector.source.SourceReader;
import org.apache.flink.api.connector.source.SourceReaderContext;
import org.apache.flink.api.connector.source.SplitEnumerator;
import org.apache.flink.api.connector.source.SplitEnumeratorContext;
import org.apache.flink.core.io.SimpleVersionedSerializer;

import java.util.ArrayList;
import java.util.Collections;
import java.util.List;

/**
 * The numbers 0, 1, 2, … without end, at a given rate a second.
 *
 * <p>There is one split, so the numbers stay in order at any parallelism: one reader emits, the
 * others stay idle. The split holds the next number, so a restored job goes on where it stopped,
 * without a gap or a repeat, also when it comes back with another parallelism.
 */
public final class NumberSource implements Source<Long, NumberSplit, List<NumberSplit>> {

    private static final long serialVersionUID = 1L;

    private final long rate;

    /** Emits {@code rate} numbers a second over the whole job. */
    public NumberSource(long rate) {
        this.rate = rate;
    }

    @Override
    public Boundedness getBoundedness() {
        return Boundedness.CONTINUOUS_UNBOUNDED;
    }

    @Override
    public SourceReader<Long, NumberSplit> createReader(SourceReaderContext context) {
        return new NumberReader(rate);
    }

    @Override
    public SplitEnumerator<NumberSplit, List<NumberSplit>> createEnumerator(
            SplitEnumeratorContext<NumberSplit> context) {
        return new NumberEnumerator(context, Collections.singletonList(new NumberSplit(0)));
    }

    @Override
    public SplitEnumerator<NumberSplit, List<NumberSplit>> restoreEnumerator(
            SplitEnumeratorContext<NumberSplit> context, List<NumberSplit> unassigned) {
        return new NumberEnumerator(context, unassigned);
    }

    @Override
    public SimpleVersionedSerializer<NumberSplit> getSplitSerializer() {
        return new NumberSplit.Serializer();
    }

    @Override
    public SimpleVersionedSerializer<List<NumberSplit>> getEnumeratorCheckpointSerializer() {
        return new NumberSplit.ListSerializer();
    }

    /** Holds the split while no reader has it, and gives it to the next reader that comes. */
    private static final class NumberEnumerator
            implements SplitEnumerator<NumberSplit, List<NumberSplit>> {

        private final SplitEnumeratorContext<NumberSplit> context;
        private final List<NumberSplit> unassigned;

        NumberEnumerator(SplitEnumeratorContext<NumberSplit> context, List<NumberSplit> unassigned) {
            this.context = context;
            this.unassigned = new ArrayList<>(unassigned);
        }

        @Override
        public void start() {}

        @Override
        public void addReader(int subtask) {
            for (NumberSplit split : unassigned) {
                context.assignSplit(split, subtask);
            }
            unassigned.clear();
        }

        @Override
        public void addSplitsBack(List<NumberSplit> splits, int subtask) {
            unassigned.addAll(splits);
            if (context.registeredReaders().containsKey(subtask)) {
                addReader(subtask);
            }
        }

        @Override
        public void handleSplitRequest(int subtask, String host) {}

        @Override
        public List<NumberSplit> snapshotState(long checkpoint) {
            return new ArrayList<>(unassigned);
        }

        @Override
        public void close() {}
    }
}
