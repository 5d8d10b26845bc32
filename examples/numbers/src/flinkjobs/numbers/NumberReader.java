package flinkjobs.numbers;

import org.apache.flink.api.connector.source.ReaderOutput;
import org.apache.flink.api.connector.source.SourceReader;
import org.apache.flink.core.io.InputStatus;

import java.util.Collections;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;

/** Emits the numbers of its split at a steady rate; without a split it stays idle. */
final class NumberReader implements SourceReader<Long, NumberSplit> {

    /** A source that was held up catches up by at most this much. */
    private static final long LONGEST_CATCH_UP = TimeUnit.SECONDS.toNanos(1);

    private final long pause;
    private final CompletableFuture<Void> splitGiven = new CompletableFuture<>();
    private boolean hasSplit;
    private long next;
    private long due;

    NumberReader(long rate) {
        this.pause = TimeUnit.SECONDS.toNanos(1) / rate;
    }

    @Override
    public void start() {}

    @Override
    public void addSplits(List<NumberSplit> splits) {
        for (NumberSplit split : splits) {
            hasSplit = true;
            next = split.next();
            due = System.nanoTime();
        }
        splitGiven.complete(null);
    }

    @Override
    public InputStatus pollNext(ReaderOutput<Long> output) {
        long now = System.nanoTime();
        if (!hasSplit || due - now > 0) {
            return InputStatus.NOTHING_AVAILABLE;
        }
        output.collect(next++);
        due = Math.max(due + pause, now - LONGEST_CATCH_UP);
        return due - now > 0 ? InputStatus.NOTHING_AVAILABLE : InputStatus.MORE_AVAILABLE;
    }

    @Override
    public CompletableFuture<Void> isAvailable() {
        if (!hasSplit) {
            return splitGiven;
        }
        long wait = due - System.nanoTime();
        if (wait <= 0) {
            return CompletableFuture.completedFuture(null);
        }
        return CompletableFuture.runAsync(
                () -> {}, CompletableFuture.delayedExecutor(wait, TimeUnit.NANOSECONDS));
    }

    @Override
    public List<NumberSplit> snapshotState(long checkpoint) {
        return hasSplit ? List.of(new NumberSplit(next)) : Collections.emptyList();
    }

    @Override
    public void notifyNoMoreSplits() {}

    @Override
    public void close() {}
}
