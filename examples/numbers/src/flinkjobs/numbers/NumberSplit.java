package flinkjobs.numbers;

import org.apache.flink.api.connector.source.SourceSplit;
import org.apache.flink.core.io.SimpleVersionedSerializer;

import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.List;

/** The rest of the numbers: all from {@code next} on. */
public final class NumberSplit implements SourceSplit {

    private final long next;

    NumberSplit(long next) {
        this.next = next;
    }

    long next() {
        return next;
    }

    @Override
    public String splitId() {
        return "numbers";
    }

    /** Eight bytes: the next number. */
    static final class Serializer implements SimpleVersionedSerializer<NumberSplit> {

        @Override
        public int getVersion() {
            return 1;
        }

        @Override
        public byte[] serialize(NumberSplit split) {
            return ByteBuffer.allocate(Long.BYTES).putLong(split.next).array();
        }

        @Override
        public NumberSplit deserialize(int version, byte[] bytes) {
            return new NumberSplit(ByteBuffer.wrap(bytes).getLong());
        }
    }

    /** Eight bytes for each split. */
    static final class ListSerializer implements SimpleVersionedSerializer<List<NumberSplit>> {

        @Override
        public int getVersion() {
            return 1;
        }

        @Override
        public byte[] serialize(List<NumberSplit> splits) {
            ByteBuffer buffer = ByteBuffer.allocate(Long.BYTES * splits.size());
            splits.forEach(split -> buffer.putLong(split.next));
            return buffer.array();
        }

        @Override
        public List<NumberSplit> deserialize(int version, byte[] bytes) {
            List<NumberSplit> splits = new ArrayList<>();
            for (ByteBuffer buffer = ByteBuffer.wrap(bytes); buffer.hasRemaining(); ) {
                splits.add(new NumberSplit(buffer.getLong()));
            }
            return splits;
        }
    }
}
