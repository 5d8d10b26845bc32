package flinkjobs.tests;

/** Throws in {@code main}, so that no job comes to be. */
public final class ThrowingMain {

    private ThrowingMain() {}

    public static void main(String[] args) {
        throw new IllegalStateException("main threw on purpose");
    }
}
