package flinkjobs.counting;

import org.apache.flink.api.common.state.ValueState;
import org.apache.flink.api.common.state.ValueStateDescriptor;
import org.apache.flink.api.common.typeinfo.Types;
import org.apache.flink.streaming.api.functions.KeyedProcessFunction;
import org.apache.flink.util.Collector;

/** Counts the numbers of each key, and emits every new count as a line. */
public class CountPerKey extends KeyedProcessFunction<Long, Long, String> {

    private static final long serialVersionUID = 1L;

    private final String label;
    private transient ValueState<Long> count;

    /** Adds {@code label} to every line, unless it is empty. */
    public CountPerKey(String label) {
        this.label = label;
    }

    @Override
    public void processElement(Long number, Context context, Collector<String> lines)
            throws Exception {
        // Not in open(), whose signature differs between Flink 1 and 2.
        if (count == null) {
            count = getRuntimeContext().getState(new ValueStateDescriptor<>("count", Types.LONG));
        }
        Long before = count.value();
        long now = before == null ? 1 : before + 1;
        count.update(now);
        String line = context.getCurrentKey() + "," + now;
        lines.collect(label.isEmpty() ? line : line + "," + label);
    }
}
